// One attempt on a real socket.
#pragma once

#include "io/socket.hpp"
#include "io/tls_session.hpp"

#include <lbresolve/endpoint.hpp>
#include <lbresolve/options.hpp>
#include <lbresolve/trace.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

namespace lbresolve::io {

/// That TLS is wanted over the socket, and with whom.
struct tls_wish {
  /// Called while the first socket connects: making a context takes as long as many a round trip.
  std::function<result<std::shared_ptr<tls_context>>()> context;
  tls_settings settings;
};

/// What holds for every socket of one connect.
struct connector_settings {
  std::optional<address> source_address;
  std::string interface;
  socket_hook hook;
  std::shared_ptr<const tls_wish> tls{};  ///< null: TCP is all
};

/// An attempt that has begun.
struct attempt_socket {
  unique_fd fd;            ///< none where it failed at once
  std::error_code failed;  ///< why
  attempt_record::stage stage = attempt_record::stage::socket;
  bool connected = false;  ///< already, without waiting
};

/// Makes a socket, lets the hook see it, and begins to connect it. Never blocks.
attempt_socket begin_connect(const endpoint& to, const connector_settings& settings);

/// What became of a connect, once its socket is writable or in error: nothing means connected.
std::error_code connect_result(int fd, const endpoint& to);

}  // namespace lbresolve::io
