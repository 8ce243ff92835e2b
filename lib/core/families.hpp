// Which address family does not work, for one name or for the whole network.
//
// Broken IPv6 is seldom the fault of one server: it is learned once for a network, not once for each address. A name
// has shown it when every address of the family that was tried failed while the other family worked. Two names that
// have shown it within a minute, at different servers and without a success of the family in that minute, speak for the
// network.
#pragma once

#include "core/selection_store.hpp"
#include "core/time.hpp"

#include <lbresolve/endpoint.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace lbresolve::core {

constexpr std::size_t index_of(family f) noexcept { return f == family::ipv4 ? 0 : 1; }

/// What one name has shown.
struct family_evidence {
  std::array<time_point, 2> failed{time_point::min(), time_point::min()};  ///< by family; min: it works or is not known
};

/// What the present network has shown.
/// Thread-safety: one thread at a time.
class families_memory {
 public:
  static constexpr duration together = std::chrono::seconds{60};

  /// @param name any number that stands for the name
  void on_race(family_evidence& of_name, std::uint64_t name, const race_facts& facts, time_point now) noexcept;
  /// A connection of this family came about, be it a probe's.
  void on_success(family f, time_point now) noexcept;

  bool is_demoted(const family_evidence& of_name, family f) const noexcept;

  /// Another network.
  void clear() noexcept { *this = {}; }

 private:
  struct network_evidence {
    std::uint64_t name = 0;         ///< the last that has shown it
    std::optional<address> server;  ///< where
    time_point shown = time_point::min();
    time_point success = time_point::min();
    bool demoted = false;
  };
  std::array<network_evidence, 2> by_family_{};
};

}  // namespace lbresolve::core
