// Answers from DNS without the addresses that a public name has no business with.
#pragma once

#include "core/answer.hpp"
#include "core/name.hpp"
#include "core/nat64.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lbresolve::core {

/// Against DNS rebinding: whoever owns a name can let it stand for 127.0.0.1 or for a machine behind the user's
/// firewall, and programs that go by the name then speak to that.
///
/// What DNS says goes through it, from the cache and past its time too: A, AAAA, and the hints of SVCB and HTTPS
/// records, of the name asked for and of the hosts that its records name. What the user wrote does not: an address
/// as the target, the hosts file, and localhost.
class rebinding_filter {
 public:
  /// @param allowed domains that may have such addresses
  /// @param nat64 this network's prefix
  rebinding_filter(std::vector<name> allowed, std::optional<nat64_prefix> nat64)
      : allowed_(std::move(allowed)), nat64_(nat64) {}

  bool allows(const name& n) const noexcept;

  /// `what` itself, or the same without private addresses; nodata where none is left.
  /// @param dropped gets one clause for each address left out: "192.168.0.1 (private, RFC 1918)"
  std::shared_ptr<const answer> filtered(std::shared_ptr<const answer> what, std::vector<std::string>& dropped) const;

 private:
  void drop_private(std::vector<address>& from, std::vector<std::string>& dropped) const;

  std::vector<name> allowed_;
  std::optional<nat64_prefix> nat64_;
};

}  // namespace lbresolve::core
