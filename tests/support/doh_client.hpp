// A doh over streams in memory, and the HTTP/2 servers at their other ends.
#pragma once

#include "io/doh.hpp"
#include "support/channel_user.hpp"
#include "support/fake_dns_server.hpp"
#include "support/http2_peer.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lbresolve::test {

inline const std::vector<address> doh_addresses{address::v4({192, 0, 2, 1})};

inline http2_peer::fields good_head(http2_peer::fields more = {}) {
  http2_peer::fields all{{":status", "200"}, {"content-type", "application/dns-message"}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

struct doh_client {
  explicit doh_client(bool use_get = false, core::duration idle_time = std::chrono::seconds(20),
                      core::duration silence_time = io::longest_silence) {
    core::upstream to;
    to.at = {address::v4({192, 0, 2, 53}), 443};
    to.host = "dns.example";
    to.path = "/dns-query";
    to.use_get = use_get;
    user.dialer.on_accept = [this](const std::shared_ptr<memory_peer>& below) {
      servers.push_back(std::make_unique<http2_peer>(below, settings));
      servers.back()->handler = [this, at = servers.size() - 1](const http2_peer::request& r) {
        if (handler) handler(*servers[at], r);
      };
    };
    user.channel =
        std::make_unique<io::doh>(*user.loop, user.dialer, to, user, io::doh::settings{idle_time, silence_time});
  }

  void send(std::uint64_t exchange, const std::vector<std::uint8_t>& query) {
    user.send(exchange, transport::https, query);
  }
  http2_peer& server(std::size_t i = 0) { return *servers.at(i); }

  channel_user user;
  std::vector<nghttp2_settings_entry> settings;  ///< of servers to come
  std::function<void(http2_peer&, const http2_peer::request&)> handler = answer_well;
  std::vector<std::unique_ptr<http2_peer>> servers;

  static void answer_well(http2_peer& s, const http2_peer::request& r) {
    s.respond(r.stream, good_head(), answer_to(r.content, doh_addresses));
  }
};

}  // namespace lbresolve::test
