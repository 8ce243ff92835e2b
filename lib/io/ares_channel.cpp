#define CARES_NO_DEPRECATED  // the calls that 1.18.1 has; 1.34 keeps them and warns
#include "io/ares_channel.hpp"

#include "io/socket.hpp"

#include <ares.h>
#include <netinet/in.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace lbresolve::io {
namespace {

// c-ares is told of one server, and never talks to it: where things go is up to `sockets`.
const endpoint placeholder{address::v4({127, 0, 0, 1}), 53};

// Never reached in practice: every query is ended by a receipt. It is 1.5 times the span of 1.18.1's table of
// timeouts (1024 s), so that what is in flight now does not lie in the part of the table that each call walks over.
constexpr int timeout_ms = 1'536'000;

bool library_ready() noexcept {
  static const bool ready = ::ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
  return ready;
}

}  // namespace

struct ares_channel::hooks {
  static ares_channel& of(void* self) noexcept { return *static_cast<ares_channel*>(self); }

  /// No exception may pass through c-ares, and without memory nothing else can be thrown here.
  template <class F>
  static auto guarded(F f) noexcept -> decltype(f()) {
    try {
      return f();
    } catch (...) {
      errno = ENOMEM;
      return -1;
    }
  }

  static ares_socket_t open(int, int type, int, void* self) {
    ares_channel& channel = of(self);
    // 1.18.1 turns to TCP on its own for queries over 512 octets. Not on a channel for datagrams.
    if ((type == SOCK_STREAM) == (channel.kind_ == kind::stream)) {
      return guarded([&] { return channel.over_.open(); });
    }
    errno = EMSGSIZE;
    return -1;
  }

  static int close(ares_socket_t fd, void* self) {
    return guarded([&] {
      of(self).over_.close(fd);
      return 0;
    });
  }

  static int connect(ares_socket_t fd, const sockaddr*, ares_socklen_t, void* self) {
    return guarded([&] { return of(self).over_.connect(fd); });
  }

  static ares_ssize_t send(ares_socket_t fd, const iovec* pieces, int count, void* self) {
    return guarded([&] { return of(self).over_.send(fd, {pieces, static_cast<std::size_t>(count)}); });
  }

  static ares_ssize_t receive(ares_socket_t fd, void* into, std::size_t size, int, sockaddr* from,
                              ares_socklen_t* from_size, void* self) {
    const auto got = guarded([&] { return of(self).over_.receive(fd, {static_cast<std::uint8_t*>(into), size}); });
    if (got >= 0 && from != nullptr && from_size != nullptr) {
      const socket_address sender(placeholder);  // or c-ares throws the receipt away
      *from_size = std::min<ares_socklen_t>(*from_size, sender.size());
      std::memcpy(from, sender.get(), *from_size);
    }
    return got;
  }

  static void interest(void* self, ares_socket_t fd, int read, int write) {
    guarded([&] {
      of(self).over_.interest(fd, read != 0, write != 0);
      return 0;
    });
  }

  static void ended(void* self, int, int, unsigned char*, int) {
    if (of(self).sending_) of(self).dropped_ = true;
  }

  static constexpr ares_socket_functions table{open, close, connect, receive, send};
};

std::unique_ptr<ares_channel> ares_channel::create(kind k, sockets& over) {
  if (!library_ready()) return nullptr;
  std::unique_ptr<ares_channel> channel(new ares_channel(k, over));

  in_addr server{};
  server.s_addr = htonl(INADDR_LOOPBACK);
  std::array<char, 2> lookups{"b"};
  std::array<char, 10> no_file{"/dev/null"};
  ares_options options{};
  options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP | ARES_FLAG_STAYOPEN |
                  ARES_FLAG_IGNTC | (k == kind::stream ? ARES_FLAG_USEVC : 0);
  options.timeout = timeout_ms;
  options.tries = 1;
  options.servers = &server;
  options.nservers = 1;
  options.lookups = lookups.data();
  options.resolvconf_path = no_file.data();
  options.sock_state_cb = hooks::interest;
  options.sock_state_cb_data = channel.get();
  int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SERVERS | ARES_OPT_DOMAINS |
             ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF | ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE;
#ifdef ARES_OPT_MAXTIMEOUTMS
  options.maxtimeout = timeout_ms;  // 1.34 caps timeouts at 5 s otherwise
  mask |= ARES_OPT_MAXTIMEOUTMS;
#endif
#ifdef ARES_OPT_QUERY_CACHE
  options.qcache_max_ttl = 0;
  mask |= ARES_OPT_QUERY_CACHE;
#endif
  if (::ares_init_options(&channel->channel_, &options, mask) != ARES_SUCCESS) {
    channel->channel_ = nullptr;
    return nullptr;
  }
  ::ares_set_socket_functions(channel->channel_, &hooks::table, channel.get());
  return channel;
}

ares_channel::~ares_channel() {
  if (channel_ != nullptr) ::ares_destroy(channel_);
}

bool ares_channel::send(std::span<const std::uint8_t> query) {
  sending_ = true;
  dropped_ = false;
  ::ares_send(channel_, query.data(), static_cast<int>(query.size()), hooks::ended, this);
  sending_ = false;
  return !dropped_;
}

void ares_channel::process(int readable, int writable) { ::ares_process_fd(channel_, readable, writable); }

std::span<const std::uint8_t> question_of(std::span<const std::uint8_t> query) noexcept {
  constexpr std::size_t header = 12;
  constexpr std::size_t type_and_class = 4;
  if (query.size() < header || query[4] != 0 || query[5] != 1) return {};
  std::size_t at = header;
  while (at < query.size() && query[at] != 0) {
    if (query[at] > 63) return {};
    at += std::size_t{query[at]} + 1;
  }
  const std::size_t end = at + 1 + type_and_class;
  if (end > query.size()) return {};
  return query.subspan(header, end - header);
}

namespace {

void append_header_and_question(std::uint16_t id, std::uint16_t flags, std::span<const std::uint8_t> question,
                                std::vector<std::uint8_t>& into) {
  const auto high = [](std::uint16_t v) { return static_cast<std::uint8_t>(v >> 8); };
  const auto low = [](std::uint16_t v) { return static_cast<std::uint8_t>(v & 0xFF); };
  const std::array<std::uint8_t, 12> header{high(id), low(id), high(flags), low(flags), 0, 1};  // one question
  into.insert(into.end(), header.begin(), header.end());
  into.insert(into.end(), question.begin(), question.end());
}

}  // namespace

void make_stub(std::span<const std::uint8_t> query, std::vector<std::uint8_t>& into) {
  constexpr std::uint16_t recursion_desired = 0x0100;
  append_header_and_question(static_cast<std::uint16_t>(query[0] << 8 | query[1]), recursion_desired,
                             question_of(query), into);
}

void make_receipt(std::span<const std::uint8_t> query, std::uint16_t id, std::vector<std::uint8_t>& into) {
  constexpr std::uint16_t reply_servfail = 0x8182;
  append_header_and_question(id, reply_servfail, question_of(query), into);
}

}  // namespace lbresolve::io
