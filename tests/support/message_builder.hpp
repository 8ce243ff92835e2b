// DNS messages for tests, written octet by octet: right ones, and wrong ones that no builder should be able to make.
#pragma once

#include "core/message.hpp"

#include <lbresolve/endpoint.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace lbresolve::test {

using octets = std::vector<std::uint8_t>;

inline octets operator+(octets left, const octets& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

inline octets u16(std::size_t value) {
  return {static_cast<std::uint8_t>(value >> 8 & 0xFF), static_cast<std::uint8_t>(value & 0xFF)};
}

inline octets u32(std::size_t value) { return u16(value >> 16) + u16(value & 0xFFFF); }

/// "www.example.com" uncompressed. Splits at dots and checks nothing.
inline octets labels(std::string_view text) {
  octets out;
  while (!text.empty() && text != ".") {
    const auto label = text.substr(0, text.find('.'));
    out.push_back(static_cast<std::uint8_t>(label.size()));
    out.insert(out.end(), label.begin(), label.end());
    text.remove_prefix(label.size() == text.size() ? label.size() : label.size() + 1);
  }
  out.push_back(0);
  return out;
}

inline octets pointer(std::size_t offset) { return u16(0xC000 | offset); }

inline octets address_data(std::string_view text) {
  const auto parsed = address::parse(text).value();
  return {parsed.bytes().begin(), parsed.bytes().end()};
}

inline octets soa_data(std::size_t minimum) {
  return labels("ns.example.com") + labels("admin.example.com") + u32(1) + u32(7200) + u32(900) + u32(86400) +
         u32(minimum);
}

inline octets srv_data(std::size_t priority, std::size_t weight, std::size_t port, const octets& target) {
  return u16(priority) + u16(weight) + u16(port) + target;
}

/// RDATA of SVCB and HTTPS (RFC 9460 section 2.2). `params` as on the wire; see svc_param().
inline octets binding_data(std::size_t priority, std::string_view target = ".", const octets& params = {}) {
  return u16(priority) + labels(target) + params;
}

/// One SvcParam: 0 mandatory, 1 alpn, 3 port, 4 ipv4hint, 6 ipv6hint. They must ascend.
inline octets svc_param(std::size_t key, const octets& value) { return u16(key) + u16(value.size()) + value; }

/// A message that grows at its end and keeps its counts right, unless told otherwise.
class message_builder {
 public:
  explicit message_builder(std::size_t id = 0x1234, std::size_t flags = 0x8180)
      : bytes_(u16(id) + u16(flags) + octets(8, 0)) {}

  std::size_t size() const { return bytes_.size(); }
  const octets& bytes() const { return bytes_; }
  /// The message refers to this builder's octets.
  core::wire_result<core::message> parse() const& { return core::message::parse(bytes_); }
  void parse() && = delete;

  message_builder& set_count(std::size_t section, std::size_t value) {
    bytes_[4 + 2 * section] = static_cast<std::uint8_t>(value >> 8);
    bytes_[5 + 2 * section] = static_cast<std::uint8_t>(value & 0xFF);
    return *this;
  }

  message_builder& raw(const octets& more) {
    bytes_ = std::move(bytes_) + more;
    return *this;
  }

  message_builder& question(const octets& name, core::rr_type type) {
    count_one(0);
    return raw(name + u16(static_cast<std::size_t>(type)) + u16(1));
  }
  message_builder& question(std::string_view name, core::rr_type type) { return question(labels(name), type); }

  message_builder& record(core::section in, const octets& owner, core::rr_type type, std::size_t ttl,
                          const octets& data, std::size_t klass = 1) {
    count_one(1 + static_cast<std::size_t>(in));
    return raw(owner + u16(static_cast<std::size_t>(type)) + u16(klass) + u32(ttl) + u16(data.size()) + data);
  }
  message_builder& answer(const octets& owner, core::rr_type type, std::size_t ttl, const octets& data) {
    return record(core::section::answer, owner, type, ttl, data);
  }
  message_builder& answer(std::string_view owner, core::rr_type type, std::size_t ttl, const octets& data) {
    return answer(labels(owner), type, ttl, data);
  }
  message_builder& a(std::string_view owner, std::size_t ttl, std::string_view address) {
    return answer(owner, core::rr_type::a, ttl, address_data(address));
  }
  message_builder& cname(std::string_view owner, std::size_t ttl, std::string_view target) {
    return answer(owner, core::rr_type::cname, ttl, labels(target));
  }
  message_builder& soa(std::string_view owner, std::size_t ttl, std::size_t minimum) {
    return record(core::section::authority, labels(owner), core::rr_type::soa, ttl, soa_data(minimum));
  }
  message_builder& opt(const octets& options = {}, std::size_t extended_rcode = 0, std::size_t payload_size = 1232) {
    return record(core::section::additional, {0}, core::rr_type::opt, extended_rcode << 24, options, payload_size);
  }

 private:
  void count_one(std::size_t section) {
    set_count(section, (std::size_t{bytes_[4 + 2 * section]} << 8) + bytes_[5 + 2 * section] + 1);
  }

  octets bytes_;
};

/// What a large site's server sends: one CNAME, four A records and OPT, names compressed.
inline message_builder common_answer() {
  using core::rr_type;
  message_builder b;
  b.question("www.example.com", rr_type::a);
  b.answer(pointer(12), rr_type::cname, 300, octets{4, 'e', 'd', 'g', 'e', 3, 'c', 'd', 'n'} + pointer(16));
  const octets end = pointer(b.size() - 11);
  for (const char* text : {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"}) {
    b.answer(end, rr_type::a, 60, address_data(text));
  }
  return b.opt();
}

/// The question that common_answer() answers.
inline core::question common_question() { return {core::name::from_text("www.example.com").value(), core::rr_type::a}; }

}  // namespace lbresolve::test
