// An observer that counts for Prometheus: prometheus SERVER TARGET... (SERVER "" is the system's)
// Connects to each target, then prints the metrics in the text format that Prometheus scrapes. Names follow
// OpenTelemetry's semantic conventions, as far as those have any.
#include <lbresolve/lbresolve.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace {

using labels = std::vector<std::pair<const char*, std::string>>;

/// `{name="value",...}`, with what a value may not have as it is.
std::string text_of(const labels& some) {
  std::string out;
  for (const auto& [name, value] : some) {
    out += (out.empty() ? "{" : ",") + std::string(name) + "=\"";
    for (const char c : value) {
      if (c == '\\' || c == '"') out += '\\';
      out += c == '\n' ? std::string("\\n") : std::string(1, c);
    }
    out += '"';
  }
  return out.empty() ? out : out + "}";
}

/// OpenTelemetry's advice for durations of network operations, in seconds.
constexpr std::array<double, 13> bounds{0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 7.5, 10};

struct histogram {
  std::array<std::uint64_t, bounds.size()> up_to{};
  std::uint64_t count = 0;
  double sum = 0;

  void add(std::chrono::nanoseconds duration) {
    const double seconds = std::chrono::duration<double>(duration).count();
    for (std::size_t i = 0; i < bounds.size(); ++i)
      if (seconds <= bounds[i]) ++up_to[i];
    ++count;
    sum += seconds;
  }
};

std::string number(double value) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.9g", value);
  return buffer.data();
}

/// Events come on several threads; a scrape on another one.
class prometheus final : public lbresolve::observer {
 public:
  void on_lookup(const lbresolve::lookup_event& e) noexcept override {
    add(lookups_, e.duration,
        {{"dns_question_type", lbresolve::type_name(e.query.type)},
         {"lbresolve_source", to_string(e.query.from)},
         {"network_transport", std::string(e.network_transport)},
         {"error_type", e.error_type}});
  }
  void on_attempt(const lbresolve::attempt_event& e) noexcept override {
    add(attempts_, e.duration,
        {{"network_type", e.attempt.endpoint.address.is_v4() ? "ipv4" : "ipv6"},
         {"lbresolve_outcome", to_string(e.attempt.ended_as)},
         {"error_type", e.error_type}});
  }
  void on_choice(const lbresolve::choice_event& e) noexcept override {
    const std::string chosen = e.chosen ? e.chosen->address.to_string() : "";
    count("lbresolve_choices_total",
          {{"network_peer_address", chosen}, {"lbresolve_policy", to_string(e.policy)}, {"error_type", e.error_type}});
  }
  void on_health(const lbresolve::health_event& e) noexcept override {
    count("lbresolve_health_changes_total", {{"lbresolve_change", to_string(e.change)}});
  }
  void on_probe(const lbresolve::probe_event& e) noexcept override {
    count("lbresolve_probes_total", {{"error_type", e.error_type}});
  }

  /// What a scrape gets, as text/plain; version=0.0.4.
  std::string text() const {
    const std::lock_guard lock(mutex_);
    std::string out;
    write(out, "dns_lookup_duration_seconds", "DNS questions.", lookups_);
    write(out, "lbresolve_attempt_duration_seconds", "Attempts to connect to an address.", attempts_);
    std::string last;
    for (const auto& [series, value] : counters_) {
      const std::string& name = series.first;
      if (name != last) out += "# TYPE " + name + " counter\n";
      last = name;
      out += name + text_of(series.second) + " " + std::to_string(value) + "\n";
    }
    return out;
  }

 private:
  using histograms = std::map<labels, histogram>;

  void add(histograms& to, std::chrono::nanoseconds duration, labels of) {
    const std::lock_guard lock(mutex_);
    to[std::move(of)].add(duration);
  }
  void count(const char* name, labels of) {
    const std::lock_guard lock(mutex_);
    ++counters_[{name, std::move(of)}];
  }
  static void write(std::string& out, const std::string& name, const char* help, const histograms& all) {
    if (all.empty()) return;
    out += "# HELP " + name + " " + help + "\n# TYPE " + name + " histogram\n";
    for (const auto& [of, h] : all) {
      labels bucket = of;
      bucket.emplace_back("le", "");
      for (std::size_t i = 0; i < bounds.size(); ++i) {
        bucket.back().second = number(bounds[i]);
        out += name + "_bucket" + text_of(bucket) + " " + std::to_string(h.up_to[i]) + "\n";
      }
      bucket.back().second = "+Inf";
      out += name + "_bucket" + text_of(bucket) + " " + std::to_string(h.count) + "\n";
      out += name + "_sum" + text_of(of) + " " + number(h.sum) + "\n";
      out += name + "_count" + text_of(of) + " " + std::to_string(h.count) + "\n";
    }
  }

  mutable std::mutex mutex_;
  histograms lookups_;
  histograms attempts_;
  std::map<std::pair<std::string, labels>, std::uint64_t> counters_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const auto metrics = std::make_shared<prometheus>();
  {
    lbresolve::options settings;
    if (*argv[1] != '\0') settings.servers = {argv[1]};
    settings.observer = metrics;
    auto resolver = lbresolve::resolver::create(settings);
    if (!resolver) return 2;
    for (int i = 2; i < argc; ++i) static_cast<void>(resolver.value().connect(argv[i]));
  }
  std::fputs(metrics->text().c_str(), stdout);
}
