// One c-ares channel to one server, over descriptors that are ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

struct ares_channeldata;
struct iovec;

namespace lbresolve::io {

/// c-ares keeps the queries, opens and closes the connection, and queues and frames what goes out on it. It never gets
/// to see a byte that a server sent: for each query that is over (answered, refused, abandoned) its owner hands it a
/// *receipt*, a reply made here, which frees its state. The reason is what versions 1.18.1 to 1.34 do with real ones:
/// they accept replies that are questions, fail every query in flight over one malformed reply, resend on their own
/// after FORMERR, BADCOOKIE or TC, cut UDP replies at 512 octets, and shorten their timeouts by the latency they see.
///
/// One thread. No function of `sockets` may call back into the channel.
class ares_channel {
 public:
  /// What c-ares does with descriptors. They need not be real: to c-ares they are only numbers. -1 is failure, with the
  /// reason in errno; any reason but EAGAIN, or EINPROGRESS for connect(), makes c-ares drop the connection and every
  /// query on it.
  struct sockets {
    virtual int open() = 0;
    virtual int connect(int fd) = 0;
    virtual void close(int fd) = 0;
    virtual std::ptrdiff_t send(int fd, std::span<const iovec> pieces) = 0;
    virtual std::ptrdiff_t receive(int fd, std::span<std::uint8_t> into) = 0;
    /// What c-ares waits for on `fd`.
    virtual void interest(int fd, bool read, bool write) = 0;

   protected:
    ~sockets() = default;
  };

  enum class kind : std::uint8_t { datagram, stream };

  /// Null where c-ares cannot be set up.
  static std::unique_ptr<ares_channel> create(kind k, sockets& over);
  ~ares_channel();  ///< closes its descriptors through `sockets`
  ares_channel(const ares_channel&) = delete;
  ares_channel& operator=(const ares_channel&) = delete;

  /// Hands over a query, which is copied. False where c-ares dropped it before returning.
  bool send(std::span<const std::uint8_t> query);

  /// Lets c-ares read and write what it can; -1 for none.
  void process(int readable, int writable);

 private:
  struct hooks;
  ares_channel(kind k, sockets& over) : over_(over), kind_(k) {}

  sockets& over_;
  kind kind_;
  ares_channeldata* channel_ = nullptr;
  bool sending_ = false;
  bool dropped_ = false;  // a query ended while sending_
};

/// The octets of the question in `query`, a message that make_query() made: one question, nothing compressed. Empty
/// where it is not such a message.
std::span<const std::uint8_t> question_of(std::span<const std::uint8_t> query) noexcept;

/// The query that c-ares gets in place of `query` where it does not write it to the wire: header and question, no OPT.
/// There 1.34 has nothing to parse or to put a COOKIE in, and 1.18.1 sees no query too long for UDP.
void make_stub(std::span<const std::uint8_t> query, std::vector<std::uint8_t>& into);

/// Appends the receipt for a stub, or for a query, that c-ares sent with `id`. Its RCODE is SERVFAIL, because c-ares
/// 1.34 measures the latency of replies that say NOERROR or NXDOMAIN, and cuts its timeouts down by that.
void make_receipt(std::span<const std::uint8_t> query, std::uint16_t id, std::vector<std::uint8_t>& into);

}  // namespace lbresolve::io
