// Messages as servers send them, one of each kind that this library reads.
#pragma once

#include "support/message_builder.hpp"

#include <string>
#include <vector>

namespace lbresolve::test {

struct message_vector {
  std::string label;
  core::question asked;
  octets bytes;
};

inline core::question question_for(std::string_view name, core::rr_type type) {
  return {core::name::from_text(name).value(), type};
}

/// ALPN h2 and h3, port 8443, one hint a family.
inline octets service_binding_data(std::size_t priority, const octets& target) {
  return u16(priority) + target + u16(1) + u16(6) + octets{2, 'h', '2', 2, 'h', '3'} + u16(3) + u16(2) + u16(8443) +
         u16(4) + u16(4) + address_data("192.0.2.7") + u16(6) + u16(16) + address_data("2001:db8::7");
}

inline octets extended_error_option(std::size_t code, std::string_view text) {
  return u16(15) + u16(text.size() + 2) + u16(code) + octets(text.begin(), text.end());
}

inline std::vector<message_vector> message_vectors() {
  using core::rr_type;
  using core::section;
  const char* host = "www.example.com";
  std::vector<message_vector> all;
  const auto add = [&all](const char* label, core::question asked, const message_builder& b) {
    all.push_back({label, std::move(asked), b.bytes()});
  };
  add("CNAME, four A, OPT", common_question(), common_answer());
  add("AAAA uncompressed", question_for(host, rr_type::aaaa),
      message_builder().question(host, rr_type::aaaa).answer(host, rr_type::aaaa, 60, address_data("2001:db8::1")));
  add("SRV, one target compressed", question_for("_http._tcp.example.com", rr_type::srv),
      message_builder()
          .question("_http._tcp.example.com", rr_type::srv)
          .answer(pointer(12), rr_type::srv, 60, srv_data(1, 60, 80, labels("a.example.com")))
          .answer(pointer(12), rr_type::srv, 60, srv_data(1, 40, 80, octets{1, 'b'} + pointer(23))));
  add("HTTPS, alias and service", question_for(host, rr_type::https),
      message_builder()
          .question(host, rr_type::https)
          .answer(pointer(12), rr_type::https, 60, service_binding_data(1, {0}))
          .answer(pointer(12), rr_type::https, 60, u16(0) + labels("alias.example.net")));
  add("NODATA with SOA", question_for(host, rr_type::aaaa),
      message_builder().question(host, rr_type::aaaa).soa("example.com", 900, 300).opt());
  add("NXDOMAIN after a CNAME", question_for(host, rr_type::a),
      message_builder(1, 0x8183)
          .question(host, rr_type::a)
          .cname(host, 60, "gone.example.com")
          .soa("example.com", 9, 3));
  add("SERVFAIL with an extended error", question_for(host, rr_type::a),
      message_builder(1, 0x8182).question(host, rr_type::a).opt(extended_error_option(6, "DNSSEC bogus")));
  add("glue and foreign types", question_for(host, rr_type::a),
      message_builder()
          .question(host, rr_type::a)
          .record(section::authority, labels("example.com"), static_cast<rr_type>(2), 60, labels("ns.example.com"))
          .record(section::additional, labels("ns.example.com"), rr_type::a, 60, address_data("192.0.2.53")));
  return all;
}

}  // namespace lbresolve::test
