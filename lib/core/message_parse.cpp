// Reading a message from end to end, once (RFC 1035 section 4). Nothing here trusts a length, a count or a pointer.
#include "core/message.hpp"
#include "core/wire_name.hpp"

#include <algorithm>
#include <utility>

namespace lbresolve::core {
namespace {

constexpr std::uint16_t class_in = 1;
constexpr std::size_t max_message = 65535;  // RFC 1035 section 4.2.2: the length field of TCP
constexpr std::size_t least_question = 5;   // a root name, type, class
constexpr std::size_t record_fixed = 10;    // type, class, TTL, RDLENGTH
constexpr std::size_t least_record = 1 + record_fixed;
constexpr unsigned first_pointer = 0xC000;

constexpr std::uint16_t number(rr_type type) noexcept { return static_cast<std::uint16_t>(type); }

}  // namespace

class message_parser {
 public:
  explicit message_parser(std::span<const std::uint8_t> bytes) noexcept
      : bytes_(bytes), data_(bytes.data()), size_(bytes.size()) {}

  wire_error error() const noexcept { return error_; }

  bool run(message& out) {
    if (size_ < header_size) return fail(wire_error::truncated);
    if (size_ > max_message) return fail(wire_error::trailing_bytes);
    const std::size_t questions = load_u16(data_ + 4);
    const std::array<std::size_t, 3> counts{load_u16(data_ + 6), load_u16(data_ + 8), load_u16(data_ + 10)};
    const std::size_t records = counts[0] + counts[1] + counts[2];
    if (questions * least_question + records * least_record > size_ - header_size) return fail(wire_error::bad_counts);
    if (questions > 1) return fail(wire_error::bad_question);  // RFC 9619
    out.bytes_ = bytes_;
    at_ = header_size;
    if (questions == 1 && !read_question(out)) return false;
    for (std::size_t s = 0; s < counts.size(); ++s) {
      for (std::size_t left = counts[s]; left > 0; --left) {
        if (!read_record(out, static_cast<section>(s))) return false;
      }
    }
    return at_ == size_ || fail(wire_error::trailing_bytes);
  }

 private:
  bool fail(wire_error e) noexcept {
    error_ = e;
    return false;
  }

  /// Checks the name at `at`, moves `at` behind it, and gives its decompressed length; 0 for an error. Most owners are
  /// the same pointer as the owner before: what it led to then, it leads to now, with all the same steps.
  std::size_t check_name(std::size_t& at) noexcept {
    const std::size_t start = at;
    const unsigned front = size_ - at < 2 ? 0U : load_u16(data_ + at);
    if (front >= first_pointer && front == known_pointer_) {
      at += 2;
      return known_length_;
    }
    const std::size_t length = walk_name(at);
    if (front >= first_pointer && at == start + 2) {
      known_pointer_ = front;
      known_length_ = length;
    }
    return length;
  }

  std::size_t walk_name(std::size_t& at) noexcept {
    name_walk walk(bytes_, at);
    auto step = walk.next();
    while (step == name_walk::step::label) step = walk.next();
    if (step == name_walk::step::error) {
      error_ = walk.error();
      return 0;
    }
    at = walk.resume();
    return walk.length();
  }

  bool read_question(message& out) noexcept {
    known_length_ = walk_name(at_);
    if (known_length_ == 0) return false;
    known_pointer_ = first_pointer + header_size;
    if (size_ - at_ < 4) return fail(wire_error::truncated);
    at_ += 4;
    out.question_end_ = at_;
    return true;
  }

  bool read_record(message& out, section in) {
    record r;
    r.owner = static_cast<std::uint16_t>(at_);
    const std::size_t owner_length = check_name(at_);
    if (owner_length == 0) return false;
    if (size_ - at_ < record_fixed) return fail(wire_error::truncated);
    const std::uint8_t* fixed = data_ + at_;
    at_ += record_fixed;
    r.type = load_u16(fixed);
    r.klass = load_u16(fixed + 2);
    const std::uint32_t ttl = load_u32(fixed + 4);
    r.ttl = (ttl >> 31) != 0 ? 0 : ttl;
    r.rdata_length = load_u16(fixed + 8);
    if (size_ - at_ < r.rdata_length) return fail(wire_error::truncated);
    r.rdata_offset = static_cast<std::uint16_t>(at_);
    r.in = in;
    r.owner_length = static_cast<std::uint8_t>(owner_length);
    at_ += r.rdata_length;
    if (r.type == number(rr_type::opt)) return read_opt(out, r, ttl);
    if (!check_rdata(r)) return false;
    out.records_.push_back(r);
    return true;
  }

  bool check_rdata(const record& r) noexcept {
    if (r.klass != class_in) return true;  // an A of another class is another thing
    switch (static_cast<rr_type>(r.type)) {
      case rr_type::a:
        return r.rdata_length == 4 || fail(wire_error::bad_rdata);
      case rr_type::aaaa:
        return r.rdata_length == 16 || fail(wire_error::bad_rdata);
      case rr_type::cname:
        return check_names(r, 0, 1, 0);
      case rr_type::soa:
        return check_names(r, 0, 2, 20);
      case rr_type::srv:
        return check_names(r, 6, 1, 0);
      default:
        return true;
    }
  }

  /// Whether the RDATA is `before` octets, so many names, and `after` octets.
  bool check_names(const record& r, std::size_t before, std::size_t names, std::size_t after) noexcept {
    if (r.rdata_length < before + names + after) return fail(wire_error::bad_rdata);
    const std::size_t end = std::size_t{r.rdata_offset} + r.rdata_length;
    std::size_t at = r.rdata_offset + before;
    for (; names > 0; --names) {
      if (check_name(at) == 0) return false;
    }
    return at + after == end || fail(wire_error::bad_rdata);
  }

  /// RFC 6891 section 6.1.1: at most one, owned by the root, in the additional section.
  bool read_opt(message& out, const record& r, std::uint32_t ttl) noexcept {
    if (out.edns_ || r.in != section::additional || r.owner_length != 1) return fail(wire_error::bad_opt);
    const auto options = bytes_.subspan(r.rdata_offset, r.rdata_length);
    for (std::size_t at = 0; at < options.size();) {
      if (options.size() - at < 4) return fail(wire_error::bad_rdata);
      const std::size_t length = load_u16(options.data() + at + 2);
      if (options.size() - at - 4 < length) return fail(wire_error::bad_rdata);
      at += 4 + length;
    }
    core::edns& edns = out.edns_.emplace();
    edns.udp_payload_size = std::max<std::uint16_t>(r.klass, 512);  // section 6.2.3
    edns.extended_rcode = static_cast<std::uint8_t>(ttl >> 24);
    edns.version = static_cast<std::uint8_t>(ttl >> 16 & 0xFF);
    edns.dnssec_ok = (ttl & 0x8000U) != 0;
    edns.options = options;
    return true;
  }

  std::span<const std::uint8_t> bytes_;
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
  unsigned known_pointer_ = 0;  ///< a pointer whose name has been checked, 0 for none, and that name's length
  std::size_t known_length_ = 0;
  wire_error error_ = wire_error::truncated;
};

wire_result<message> message::parse(std::span<const std::uint8_t> bytes) {
  message m;
  message_parser parser(bytes);
  if (!parser.run(m)) return parser.error();
  return m;
}

}  // namespace lbresolve::core
