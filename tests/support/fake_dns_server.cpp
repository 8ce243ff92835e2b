#include "support/fake_dns_server.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

namespace lbresolve::test {
namespace {

union any_address {
  sockaddr base;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

any_address loopback(bool ipv6, std::uint16_t port) {
  any_address a{};
  if (ipv6) {
    a.v6.sin6_family = AF_INET6;
    a.v6.sin6_addr = in6addr_loopback;
    a.v6.sin6_port = htons(port);
  } else {
    a.v4.sin_family = AF_INET;
    a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.v4.sin_port = htons(port);
  }
  return a;
}

std::uint16_t port_of(const any_address& a) {
  return ntohs(a.base.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
}

socklen_t size_of(bool ipv6) { return ipv6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in); }

void check(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

}  // namespace

/// Where a reply goes: an address for UDP, a descriptor for TCP.
struct fake_dns_server::peer {
  ~peer() {
    if (fd >= 0) ::close(fd);
  }
  any_address address{};
  int fd = -1;
  std::vector<std::uint8_t> in;
};

struct fake_dns_server::delayed {
  std::shared_ptr<peer> to;
  reply what;
};

fake_dns_server::fake_dns_server(handler h, bool ipv6) : handler_(std::move(h)) {
  const int family = ipv6 ? AF_INET6 : AF_INET;
  // The TCP port is drawn by the kernel, and may be taken for UDP.
  for (int attempt = 0;; ++attempt) {
    any_address at = loopback(ipv6, 0);
    socklen_t size = sizeof(at);
    listener_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    check(::bind(listener_, &at.base, size_of(ipv6)) == 0 && ::listen(listener_, 128) == 0, "listen");
    check(::getsockname(listener_, &at.base, &size) == 0, "getsockname");
    udp_ = ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (::bind(udp_, &at.base, size_of(ipv6)) == 0) {
      where_ = {ipv6 ? address::parse("::1").value() : address::v4({127, 0, 0, 1}), port_of(at)};
      break;
    }
    check(attempt < 20, "bind");
    ::close(listener_);
    ::close(udp_);
  }
  const int large = 4 << 20;
  ::setsockopt(udp_, SOL_SOCKET, SO_RCVBUF, &large, sizeof(large));
  stop_ = ::eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] { serve(); });
}

fake_dns_server::~fake_dns_server() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(stop_, &one, sizeof(one));
  thread_.join();
  for (const int fd : {udp_, listener_, stop_}) ::close(fd);
}

std::vector<fake_dns_server::request> fake_dns_server::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void fake_dns_server::serve() {
  for (;;) {
    std::vector<pollfd> fds{{stop_, POLLIN, 0}, {udp_, POLLIN, 0}, {listener_, POLLIN, 0}};
    std::vector<std::size_t> names;
    for (const auto& [name, p] : streams_) {
      names.push_back(name);
      fds.push_back({p->fd, POLLIN, 0});
    }
    int timeout = -1;
    if (!later_.empty()) {
      const auto wait = std::chrono::ceil<std::chrono::milliseconds>(later_.begin()->first - clock::now());
      timeout = wait.count() > 0 ? static_cast<int>(wait.count()) : 0;
    }
    ::poll(fds.data(), fds.size(), timeout);
    if (fds[0].revents != 0) return;
    if (fds[1].revents != 0) read_datagrams();
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (fds[i + 3].revents != 0) read_stream(names[i]);
    }
    if (fds[2].revents != 0) accept_one();
    send_due();
  }
}

void fake_dns_server::accept_one() {
  const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) return;
  auto p = std::make_shared<peer>();
  p->fd = fd;
  streams_[connection_count_++] = std::move(p);
}

void fake_dns_server::read_datagrams() {
  std::vector<std::uint8_t> buffer(65'536);
  for (;;) {
    auto from = std::make_shared<peer>();
    socklen_t size = sizeof(from->address);
    const auto got = ::recvfrom(udp_, buffer.data(), buffer.size(), 0, &from->address.base, &size);
    if (got < 0) return;
    request r;
    r.source_port = port_of(from->address);
    r.query.assign(buffer.begin(), buffer.begin() + got);
    on_request(std::move(r), from);
  }
}

void fake_dns_server::read_stream(std::size_t connection) {
  const auto p = streams_.at(connection);
  std::vector<std::uint8_t> buffer(65'536);
  const auto got = ::recv(p->fd, buffer.data(), buffer.size(), 0);
  if (got <= 0) {
    streams_.erase(connection);
    return;
  }
  p->in.insert(p->in.end(), buffer.begin(), buffer.begin() + got);
  while (p->in.size() >= 2) {
    const std::size_t length = std::size_t{p->in[0]} << 8 | p->in[1];
    if (p->in.size() < 2 + length) return;
    request r;
    r.tcp = true;
    r.connection = connection;
    r.query.assign(p->in.begin() + 2, p->in.begin() + 2 + static_cast<std::ptrdiff_t>(length));
    p->in.erase(p->in.begin(), p->in.begin() + 2 + static_cast<std::ptrdiff_t>(length));
    on_request(std::move(r), p);
  }
}

void fake_dns_server::on_request(request r, const std::shared_ptr<peer>& from) {
  auto replies = handler_(r);
  for (auto& what : replies) later_.emplace(clock::now() + what.after, delayed{from, std::move(what)});
  if (!only_count_.load()) {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(r));
  }
  ++request_count_;
}

void fake_dns_server::send_due() {
  while (!later_.empty() && later_.begin()->first <= clock::now()) {
    const auto first = later_.begin();
    const delayed d = std::move(first->second);
    later_.erase(first);
    auto bytes = d.what.bytes;
    if (d.to->fd < 0) {
      ::sendto(udp_, bytes.data(), bytes.size(), 0, &d.to->address.base,
               size_of(d.to->address.base.sa_family == AF_INET6));
      continue;
    }
    if (d.what.framed) {
      const auto size = bytes.size();
      bytes.insert(bytes.begin(), {static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size & 0xFF)});
    }
    ::send(d.to->fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (!d.what.then_close) continue;
    std::erase_if(streams_, [&](const auto& s) { return s.second == d.to; });
    ::shutdown(d.to->fd, SHUT_RDWR);
  }
}

std::vector<std::uint8_t> answer_to(std::span<const std::uint8_t> query, std::span<const address> addresses,
                                    std::uint8_t rcode, bool truncated, std::uint8_t ttl) {
  std::vector<std::uint8_t> out(query.begin(), query.begin() + 12);
  out[2] = static_cast<std::uint8_t>(0x81 | (truncated ? 0x02 : 0));
  out[3] = static_cast<std::uint8_t>(0x80 | rcode);
  out[6] = static_cast<std::uint8_t>(addresses.size() >> 8);
  out[7] = static_cast<std::uint8_t>(addresses.size() & 0xFF);
  for (std::size_t i = 8; i < 12; ++i) out[i] = 0;
  std::size_t end = 12;
  while (query[end] != 0) end += std::size_t{query[end]} + 1;
  out.insert(out.end(), query.begin() + 12, query.begin() + static_cast<std::ptrdiff_t>(end + 5));
  for (const auto& a : addresses) {
    const std::uint8_t head[] = {0xC0, 12, 0, 1, 0, 1, 0, 0, 0, ttl, 0, 4};
    out.insert(out.end(), std::begin(head), std::end(head));
    out.insert(out.end(), a.bytes().begin(), a.bytes().end());
  }
  return out;
}

}  // namespace lbresolve::test
