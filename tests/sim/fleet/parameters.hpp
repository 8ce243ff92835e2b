// Numbers by name, as `fleet --set` gives them.
#pragma once

#include "core/time.hpp"

#include <map>
#include <string>

namespace lbresolve::fleet {

/// Those that were set, and those that were asked for: what was set and never asked for is a misspelling.
class parameters {
 public:
  void set(const std::string& name, double value) { set_[name] = value; }
  double get(const std::string& name, double otherwise) const {
    asked_.insert_or_assign(name, otherwise);
    const auto found = set_.find(name);
    return found == set_.end() ? otherwise : found->second;
  }
  std::size_t count(const std::string& name, std::size_t otherwise) const {
    return static_cast<std::size_t>(get(name, static_cast<double>(otherwise)));
  }
  core::duration seconds(const std::string& name, double otherwise) const {
    return core::duration{static_cast<core::duration::rep>(get(name, otherwise) * 1e9)};
  }
  core::duration milliseconds(const std::string& name, double otherwise) const {
    return core::duration{static_cast<core::duration::rep>(get(name, otherwise) * 1e6)};
  }
  const std::map<std::string, double>& what_is_set() const noexcept { return set_; }
  /// With their defaults.
  const std::map<std::string, double>& what_was_asked() const noexcept { return asked_; }

 private:
  std::map<std::string, double> set_;
  mutable std::map<std::string, double> asked_;
};

}  // namespace lbresolve::fleet
