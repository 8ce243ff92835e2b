// Opens streams to upstreams that are spoken to through TLS: by name, through bootstrap servers, as any connect.
#pragma once

#include "core/race.hpp"
#include "core/selection.hpp"
#include "core/upstream_group.hpp"
#include "io/byte_stream.hpp"
#include "io/driver.hpp"
#include "io/event_loop.hpp"
#include "io/shared_cache.hpp"
#include "io/tls_context.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

namespace lbresolve::io {

struct dialer_settings {
  bool ask_aaaa = true;
  std::string ca_file;                               ///< PEM, instead of the system's authorities
  core::duration timeout = std::chrono::seconds{5};  ///< of one dial
  core::race_settings racing;                        ///< but for its deadline
  core::source_lookup source_of;                     ///< required
};

/// A dial is a connect whose race TLS decides, on an engine of its own with its own cache and its own memory of
/// addresses: queries that wait for a dial never wait for each other. Thread-safety: that of its loop.
class upstream_dialer final : public stream_dialer {
 public:
  /// @param loop must outlive this
  upstream_dialer(event_loop& loop, dialer_settings settings);

  /// Who is asked for the addresses of an upstream that is given by name: servers of plain DNS, by address. None: only
  /// upstreams with addresses can be dialed. One that was designated (RFC 9462) is looked up by who designated it.
  void use(std::vector<core::upstream_group> bootstrap);

  ~upstream_dialer() override;
  upstream_dialer(const upstream_dialer&) = delete;
  upstream_dialer& operator=(const upstream_dialer&) = delete;

  /// Of transport::tls (ALPN "dot", RFC 7858 section 3.1, not insisted on) or transport::https (ALPN "h2", insisted
  /// on). Every dial is made anew: that an earlier one has failed is only remembered to choose among addresses.
  id dial(const core::upstream& to, finished done) override;
  void cancel(id which) noexcept override;

  /// Another network, or other settings: what is known of addresses does not hold any more.
  void forget();

 private:
  connector_settings sockets_for(const core::upstream& to);
  result<std::shared_ptr<tls_context>> context();
  result<std::unique_ptr<core::operation>> work_for(const core::upstream& to);
  void ask_its_designator(const core::upstream& to);
  void conclude(id which, core::operation& work, connected_socket winner);
  void tell_later(id which, result<std::unique_ptr<byte_stream>> outcome);

  event_loop& loop_;
  dialer_settings settings_;
  std::vector<core::upstream_group> bootstrap_;
  shared_cache answers_;
  core::selection memory_;
  std::shared_ptr<tls_context> context_;  // made during the first dial
  std::unordered_map<id, finished> dials_;
  id last_id_ = 0;
  std::shared_ptr<bool> gone_ = std::make_shared<bool>(false);
  driver driver_;
};

}  // namespace lbresolve::io
