// Being told when the members of a target change, so that a pool of connections can drain and refill.
#pragma once

#include <lbresolve/endpoint.hpp>
#include <lbresolve/export.hpp>
#include <lbresolve/health.hpp>

#include <cstdint>
#include <functional>

namespace lbresolve {

struct member_change {
  enum class kind : std::uint8_t {
    added,      ///< DNS names it now, or did when the watch began
    withdrawn,  ///< DNS no longer names it: let what goes on there end, begin nothing new
    suspect,    ///< something failed there
    ejected,    ///< it failed again and again
    back,       ///< something has succeeded there since
  };
  kind is = kind::added;
  lbresolve::endpoint endpoint;
};

/// Called with one change after the other, on the thread on which callbacks run.
using watch_callback = std::function<void(const member_change&)>;

/// A watch under way, for unwatch(). A plain value; a default one stands for none.
struct watch_id {
  std::uint64_t id = 0;
  explicit operator bool() const noexcept { return id != 0; }
};

LBRESOLVE_EXPORT const char* to_string(member_change::kind k) noexcept;

}  // namespace lbresolve
