// The wire codec: an index over the bytes of a received message, and the bytes of a query.
#pragma once

#include "core/name.hpp"
#include "core/question.hpp"
#include "core/random.hpp"
#include "core/record_list.hpp"
#include "core/wire_result.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lbresolve::core {

/// RCODEs that this library tells apart (RFC 1035 section 4.1.1, RFC 6895).
enum class rcode : std::uint16_t {
  noerror = 0,
  formerr = 1,
  servfail = 2,
  nxdomain = 3,
  notimp = 4,
  refused = 5,
  badvers = 16
};

/// The OPT pseudo-record (RFC 6891).
struct edns {
  std::uint16_t udp_payload_size = 512;  ///< at least 512, whatever was sent (section 6.2.3)
  std::uint8_t extended_rcode = 0;       ///< upper 8 bits
  std::uint8_t version = 0;
  bool dnssec_ok = false;
  std::span<const std::uint8_t> options;  ///< code, length and value of each, checked to fit
};

/// An index over one DNS message (RFC 1035 section 4). Does not own the bytes: they must outlive it. Allocates only
/// past `record_list::inline_capacity` records; work and memory are bounded by the bytes, whatever the counts say.
class message {
 public:
  /// Checks every name, count and length, and the RDATA of A, AAAA, CNAME, SOA, SRV and OPT. Not that of SVCB and
  /// HTTPS: a malformed one spoils its RRset, not the message (RFC 9460 section 2.2), so interpret() judges it.
  static wire_result<message> parse(std::span<const std::uint8_t> bytes);

  std::span<const std::uint8_t> bytes() const noexcept { return bytes_; }
  std::uint16_t id() const noexcept;
  bool is_response() const noexcept;       ///< QR
  bool is_truncated() const noexcept;      ///< TC
  bool is_authenticated() const noexcept;  ///< AD (RFC 4035 section 3.2.3)
  std::uint8_t opcode() const noexcept;
  /// The RCODE, with the upper bits from OPT where there is one.
  std::uint16_t rcode() const noexcept;

  bool has_question() const noexcept { return question_end_ != 0; }
  /// The octets of the question section: name, type, class, as sent; empty where there is none.
  std::span<const std::uint8_t> question_octets() const noexcept;

  /// All records but OPT, in the order sent.
  std::span<const record> records() const noexcept { return records_.all(); }
  std::span<const std::uint8_t> rdata(const record& r) const noexcept;
  const std::optional<core::edns>& opt() const noexcept { return edns_; }

  /// The name at `offset`, decompressed; the root where no name can be read.
  name name_at(std::size_t offset) const;
  /// Whether the name at `offset` equals `n`, ASCII case aside; no allocation.
  bool name_equals(std::size_t offset, const name& n) const noexcept;

 private:
  friend class message_parser;
  message() = default;
  std::span<const std::uint8_t> bytes_;
  std::size_t question_end_ = 0;
  record_list records_;
  std::optional<core::edns> edns_;
};

/// EDNS Client Subnet (RFC 7871) to put into queries. Prefix length 0 asks that none be sent on.
struct client_subnet {
  std::array<std::uint8_t, 16> octets{};
  bool is_v6 = false;
  std::uint8_t prefix_length = 0;
  /// Reads "192.0.2.0/24" or "2001:db8::/56"; host bits must be zero.
  static std::optional<client_subnet> parse(std::string_view text);
};

struct query_settings {
  bool edns = true;
  std::uint16_t udp_payload_size = 1232;
  std::optional<core::client_subnet> subnet;
  bool ask_authenticated = false;  ///< AD in the query: tell me whether you validated (RFC 6840 section 5.7)
  bool randomize_case = false;     ///< 0x20
  std::size_t pad_to = 0;          ///< RFC 8467: the whole message becomes a multiple of this; 0: no padding
};

/// A query with RD set and, unless told otherwise, OPT; padding is its last option (RFC 7830). Without OPT there is
/// neither subnet nor padding. `random` is used for the case of letters only.
std::vector<std::uint8_t> make_query(std::uint16_t id, const question& q, const query_settings& settings,
                                     random_source& random);

/// How a datagram or framed message relates to the query that was sent.
enum class reply_match : std::uint8_t {
  reply,       ///< same ID, QR=1, opcode QUERY, question equal octet by octet, and the whole of it can be read
  other_case,  ///< the same but for the case of letters: a server that folds case, or a forger
  refusal,     ///< header-only FORMERR or NOTIMP with the same ID: a server that does not know EDNS
  malformed,   ///< header and question match, case aside, and the rest cannot be read: ask over TCP
  stranger,    ///< anything else: discard it and wait on (SEC-06)
};

/// `query` is what was really sent. Reads the whole of `datagram`, so that nothing behind it meets bytes it cannot
/// read.
reply_match match_reply(std::span<const std::uint8_t> query, std::span<const std::uint8_t> datagram);

}  // namespace lbresolve::core
