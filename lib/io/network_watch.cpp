#include "io/network_watch.hpp"

#include "io/clock.hpp"
#include "io/netlink.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

namespace lbresolve::io {

std::uint64_t network_fingerprint() {
  auto facts = ask_network_facts();
  return facts ? core::fingerprint(std::move(*facts)) : 0;
}

network_watch::network_watch(event_loop& loop, std::function<void(std::uint64_t)> changed)
    : loop_(loop), timer_(loop, *this), changed_(std::move(changed)) {
  auto opened =
      open_netlink(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);
  if (opened && !loop_.watch(opened.value().get(), true, false, *this)) fd_ = std::move(opened.value());
  last_ = network_fingerprint();  // after the watching began: no change falls between
}

network_watch::~network_watch() { stop(); }

void network_watch::stop() noexcept {
  if (fd_) loop_.unwatch(fd_.get());
  fd_.reset();
}

void network_watch::notice() {
  const auto now = io::now();
  if (burst_began_ == core::never) burst_began_ = now;
  timer_.set(std::min(now + settle, burst_began_ + settle_at_most));
}

void network_watch::on_ready(bool, bool) {
  // Some at a time: the rest keeps the descriptor readable, and others get their turn.
  std::array<std::byte, 32'768> buffer;
  for (int datagrams = 0; datagrams < 64; ++datagrams) {
    const auto datagram = receive_netlink(fd_.get(), buffer);
    if (!datagram) {
      const auto code = datagram.error().code();
      if (code == errno_code(EAGAIN)) return;
      notice();  // ENOBUFS, EMSGSIZE: something was lost, so look
      if (code != errno_code(ENOBUFS) && code != errno_code(EMSGSIZE)) return stop();
      continue;
    }
    for_each_message(datagram.value(), [this](const netlink_message& m) {
      if (!is_of_interest(m)) return true;
      notice();
      return false;
    });
  }
}

void network_watch::on_timer() {
  burst_began_ = core::never;
  const auto fresh = network_fingerprint();
  if (fresh == 0 || fresh == last_) return;
  last_ = fresh;
  const auto told = changed_;
  told(fresh);
}

}  // namespace lbresolve::io
