#include "io/connector.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

namespace lbresolve::io {

namespace {

std::error_code prepare(int fd, const endpoint& to, const connector_settings& settings) {
  if (!settings.interface.empty() && ::setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, settings.interface.data(),
                                                  static_cast<socklen_t>(settings.interface.size())) != 0)
    return last_error();
  if (settings.source_address) {
    // The port is chosen when the destination is known: many connects may then share one source port.
    const int on = 1;
    ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    const socket_address from(endpoint{*settings.source_address, 0});
    if (::bind(fd, from.get(), from.size()) != 0) return last_error();
  }
  return settings.hook ? settings.hook(fd, to) : std::error_code();
}

// A TCP socket that connects to a port of this host which nobody listens on can be given that very port as its own,
// and then connects to itself (RFC 9293 section 3.5, simultaneous open).
bool connected_to_itself(int fd, const endpoint& to) {
  const auto here = local_endpoint(fd);
  return here && *here == to;
}

constexpr std::uint16_t first_unprivileged_port = 1024;  // kernels give out no lower ones

}  // namespace

attempt_socket begin_connect(const endpoint& to, const connector_settings& settings) {
  using stage = attempt_record::stage;
  auto opened = open_socket(to.address.family(), SOCK_STREAM);
  if (!opened) return {.fd = {}, .failed = opened.error().code(), .stage = stage::socket, .connected = false};
  unique_fd fd = std::move(opened).value();
  if (const std::error_code failed = prepare(fd.get(), to, settings))
    return {.fd = {}, .failed = failed, .stage = stage::socket, .connected = false};
  const socket_address there(to);
  if (::connect(fd.get(), there.get(), there.size()) == 0) {
    const std::error_code failed = connect_result(fd.get(), to);
    if (failed) fd.reset();
    return {.fd = std::move(fd), .failed = failed, .stage = stage::connect, .connected = !failed};
  }
  if (errno == EINPROGRESS) return {.fd = std::move(fd), .failed = {}, .stage = stage::connect, .connected = false};
  return {.fd = {}, .failed = last_error(), .stage = stage::connect, .connected = false};
}

std::error_code connect_result(int fd, const endpoint& to) {
  if (const std::error_code failed = pending_error(fd)) return failed;
  if (to.port >= first_unprivileged_port && connected_to_itself(fd, to))
    return std::make_error_code(std::errc::connection_refused);
  return {};
}

}  // namespace lbresolve::io
