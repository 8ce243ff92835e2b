// What --count adds up: who was connected to, how long it took, what went wrong.
#pragma once

#include <lbresolve/endpoint.hpp>
#include <lbresolve/error.hpp>
#include <lbresolve/trace.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lbresolve::cli {

class tally {
 public:
  void success(const endpoint& with, elapsed took);
  void failure(const error& e);

  std::size_t succeeded() const { return times_.size(); }
  std::size_t failed() const { return failed_; }
  std::size_t total() const { return succeeded() + failed(); }

  /// How often each endpoint came out, the most frequent first.
  std::vector<std::pair<endpoint, std::size_t>> endpoints() const;

  /// How often each error came, by its name in the JSON output.
  const std::map<std::string, std::size_t>& errors() const { return errors_; }
  const std::optional<error>& first_error() const { return first_error_; }

  /// The time that `percent` of the successes stayed within (nearest rank); nothing without a success.
  std::optional<elapsed> percentile(double percent) const;

 private:
  std::map<endpoint, std::size_t> endpoints_;
  std::vector<elapsed> times_;
  std::map<std::string, std::size_t> errors_;
  std::optional<error> first_error_;
  std::size_t failed_ = 0;
};

}  // namespace lbresolve::cli
