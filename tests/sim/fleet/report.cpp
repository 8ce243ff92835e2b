#include "sim/fleet/report.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace lbresolve::fleet {
namespace {

/// 32 steps to each power of two: the first bits of the number of nanoseconds.
constexpr unsigned step_bits = 5;

template <class Counts>
double max_over_mean(const Counts& counts) {
  if (counts.empty()) return 0;
  const double sum = std::accumulate(counts.begin(), counts.end(), 0.0);
  const double most = static_cast<double>(*std::max_element(counts.begin(), counts.end()));
  return sum > 0 ? most * static_cast<double>(counts.size()) / sum : 0;
}

}  // namespace

std::size_t histogram::index_of(duration d) {
  const auto ns = static_cast<std::uint64_t>(std::max<duration::rep>(d.count(), 0));
  const auto bits = static_cast<unsigned>(std::bit_width(ns));
  if (bits <= step_bits) return ns;
  const unsigned shift = bits - step_bits - 1;
  return (std::size_t{shift} << step_bits) + static_cast<std::size_t>(ns >> shift);
}

duration histogram::quantile(double q) const {
  if (total_ == 0) return duration::zero();
  const auto wanted = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(q * static_cast<double>(total_) + 0.5));
  std::uint64_t seen = 0;
  std::size_t i = 0;
  while (i + 1 < counts_.size() && (seen += counts_[i]) < wanted) ++i;
  if (i < (std::size_t{2} << step_bits)) return duration{static_cast<duration::rep>(i)};
  const std::size_t shift = (i >> step_bits) - 1;
  const std::size_t mantissa = (i & ((1U << step_bits) - 1)) | (1U << step_bits);
  return duration{static_cast<duration::rep>((mantissa + 1) << shift)};
}

void histogram::merge(const histogram& other) {
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  total_ += other.total_;
}

double run_report::success_within_second() const {
  return total_time.total() + failed == 0
             ? 0
             : static_cast<double>(within_second) / static_cast<double>(total_time.total() + failed);
}

double run_report::share(std::size_t server) const {
  double sum = 0;
  for (const auto& s : servers) sum += static_cast<double>(s.wins);
  return sum > 0 ? static_cast<double>(servers[server].wins) / sum : 0;
}

double run_report::max_to_mean() const {
  std::vector<std::uint64_t> wins_of;
  for (const auto& s : servers) wins_of.push_back(s.wins);
  return max_over_mean(wins_of);
}

double run_report::max_to_min() const {
  std::vector<double> wins_of;
  for (const auto& s : servers) wins_of.push_back(static_cast<double>(s.wins));
  const auto [least, most] = std::minmax_element(wins_of.begin(), wins_of.end());
  return *least > 0 ? *most / *least : 1e9;
}

double run_report::worst_step(duration from, duration to) const {
  double worst = 0;
  for (auto at = from; at + step <= to; at += step) {
    const auto i = static_cast<std::size_t>(at / step);
    if (i < wins.size()) worst = std::max(worst, max_over_mean(wins[i]));
  }
  return worst;
}

double run_report::share(std::size_t server, duration from, duration to) const {
  double sum = 0, own = 0;
  for (auto at = from; at + step <= to; at += step) {
    const auto i = static_cast<std::size_t>(at / step);
    if (i >= wins.size()) break;
    sum += std::accumulate(wins[i].begin(), wins[i].end(), 0.0);
    own += static_cast<double>(wins[i][server]);
  }
  return sum > 0 ? own / sum : 0;
}

}  // namespace lbresolve::fleet
