// Stands in for doh.cpp where the build has no nghttp2.
#include "io/doh.hpp"

#include "io/failure_queue.hpp"

#include <utility>

namespace lbresolve::io {

class doh::state final : holder, public std::enable_shared_from_this<state> {
 public:
  state(event_loop& loop, transport_events& events) : failures(loop, *this, events) {}
  std::shared_ptr<void> hold() override { return shared_from_this(); }

  failure_queue failures;
};

bool doh::is_built() noexcept { return false; }

// NOLINTNEXTLINE(performance-unnecessary-value-param): the same function as in doh.cpp
doh::doh(event_loop& loop, stream_dialer&, core::upstream, transport_events& events, const settings&)
    : state_(std::make_shared<state>(loop, events)) {}

doh::~doh() { state_->failures.clear(); }

void doh::send(std::uint64_t exchange, lbresolve::transport, std::span<const std::uint8_t>) {
  state_->failures.add(exchange, error(make_error_code(errc::unsupported),
                                       "this build has no HTTP/2 (nghttp2), which DNS over HTTPS needs"));
}

void doh::abandon(std::uint64_t exchange) { state_->failures.erase(exchange); }

std::size_t doh::open_exchanges() const noexcept { return state_->failures.size(); }

}  // namespace lbresolve::io
