// One resolver, shared by all Python objects with its settings.
#pragma once

#include "channel.hpp"
#include "outcome.hpp"

#include <lbresolve/resolver.hpp>

#include <nanobind/nanobind.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

namespace lbresolve::python {

/// Every method is called with Python's lock held. Those that wait let go of it, and look for signals every 50 ms.
class engine {
 public:
  /// @param make_endpoint what pick() gives: called with an address, a port and a family
  engine(nanobind::dict settings, nanobind::object make_endpoint);

  outcome_of_call resolve(const std::string& target, nanobind::dict settings);
  outcome_of_call connect(const std::string& target, nanobind::dict settings);
  outcome_of_call explain(const std::string& target, nanobind::dict settings);
  outcome_of_call probe(const std::string& target, nanobind::dict settings);

  /// The same, without waiting: the outcome goes into `to`, with `token`. The number is for cancel().
  std::uint64_t start_resolve(const std::string& target, nanobind::dict settings, std::shared_ptr<channel> to,
                              std::uint64_t token);
  std::uint64_t start_connect(const std::string& target, nanobind::dict settings, std::shared_ptr<channel> to,
                              std::uint64_t token);
  std::uint64_t start_explain(const std::string& target, nanobind::dict settings, std::shared_ptr<channel> to,
                              std::uint64_t token);
  std::uint64_t start_probe(const std::string& target, nanobind::dict settings, std::shared_ptr<channel> to,
                            std::uint64_t token);
  bool cancel(std::uint64_t number);

  /// What make_endpoint has made, or the outcome that says why there is none.
  nanobind::object pick(nanobind::str target);
  void begin(std::string_view address, std::uint16_t port);
  void report(std::string_view address, std::uint16_t port, bool success, std::optional<double> latency_s);
  nanobind::list health();
  void forget_health();
  void clear_cache();

  ~engine() { close(); }
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  /// Ends what waits in it, as cancelled, and lets go of the resolver.
  void close();

 private:
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
  };

  std::shared_ptr<resolver> use();
  interruption interrupted() const;
  template <class F>
  outcome_of_call wait_for(F call);
  nanobind::object made(const endpoint& at);

  const nanobind::object make_endpoint_;
  std::shared_ptr<resolver> resolver_;
  std::shared_ptr<std::atomic<bool>> closed_ = std::make_shared<std::atomic<bool>>(false);
  std::unordered_map<std::string, picker, text_hash, std::equal_to<>> pickers_;
  std::unordered_map<endpoint, nanobind::object> endpoints_;  // what pick() has given
};

}  // namespace lbresolve::python
