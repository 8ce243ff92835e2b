#include "support/tls_listener.hpp"

#include "io/socket.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <utility>

namespace lbresolve::test {

struct tls_listener::client {
  explicit client(int accepted) : fd(accepted) {}
  ~client() { ::close(fd); }
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  int fd;
  std::optional<tls_peer> peer;
  bool greeted = false;
  std::size_t echoed = 0;
};

tls_listener::tls_listener(tls_listener_settings settings) : settings_(std::move(settings)) {
  if (settings_.tls) shared_.emplace(*settings_.tls);
  where_ = {*address::parse(settings_.address), settings_.port};
  fd_ = ::socket(io::address_family(where_.address.family()), SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const io::socket_address at(where_);
  if (::bind(fd_, at.get(), at.size()) != 0 || ::listen(fd_, 100) != 0)
    throw std::runtime_error("cannot listen on " + settings_.address);
  where_ = io::local_endpoint(fd_).value();
  stop_ = ::eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] { serve(); });
}

tls_listener::~tls_listener() {
  const std::uint64_t one = 1;
  if (::write(stop_, &one, sizeof one) == sizeof one) thread_.join();
  clients_.clear();
  ::close(stop_);
  ::close(fd_);
}

std::string tls_listener::heard() const {
  const std::lock_guard lock(mutex_);
  return heard_;
}

std::string tls_listener::first_octets() const {
  const std::lock_guard lock(mutex_);
  return first_octets_;
}

void tls_listener::serve() {
  for (;;) {
    std::vector<pollfd> polled{{stop_, POLLIN, 0}, {fd_, POLLIN, 0}};
    for (const auto& c : clients_) polled.push_back({c->fd, POLLIN, 0});
    if (::poll(polled.data(), polled.size(), -1) < 0) continue;
    if (polled[0].revents != 0) return;
    const std::lock_guard inside_openssl(shelter_);
    for (std::size_t i = polled.size(); i-- > 2;)
      if (polled[i].revents != 0 && !read_from(*clients_[i - 2]))
        clients_.erase(clients_.begin() + static_cast<std::ptrdiff_t>(i - 2));
    if (polled[1].revents != 0) accept_one();
  }
}

void tls_listener::accept_one() {
  const int accepted = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
  if (accepted < 0) return;
  ++accepted_;
  clients_.push_back(std::make_unique<client>(accepted));
  if (shared_) clients_.back()->peer.emplace(*shared_);
}

bool tls_listener::read_from(client& c) {
  std::array<std::uint8_t, 4096> bytes;
  const ssize_t count = ::recv(c.fd, bytes.data(), bytes.size(), 0);
  if (count <= 0 || settings_.close_in_handshake) return false;
  const auto came = std::span(bytes).first(static_cast<std::size_t>(count));
  const std::lock_guard lock(mutex_);
  if (first_octets_.empty()) first_octets_.assign(came.begin(), came.end());
  if (!c.peer) return true;
  c.peer->receive(came);
  if (c.peer->is_open() && !std::exchange(c.greeted, true)) c.peer->say(settings_.greeting);
  const std::string& said = c.peer->heard();
  if (said.size() > c.echoed) {
    heard_ += said.substr(c.echoed);
    c.peer->say("echo " + said.substr(c.echoed));
    c.echoed = said.size();
  }
  write_to(c);
  return true;
}

void tls_listener::write_to(client& c) {
  const std::vector<std::uint8_t> out = c.peer->take_output();
  std::size_t sent = 0;
  while (sent < out.size()) {
    const ssize_t count = ::send(c.fd, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return;
    sent += static_cast<std::size_t>(count);
  }
}

}  // namespace lbresolve::test
