#include "core/svcb.hpp"

#include "core/message_vectors.hpp"
#include "support/message_builder.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace lbresolve::test {
namespace {

using core::parse_service_binding;
using core::service_binding;
using core::wire_error;

octets param(std::size_t key, const octets& value) { return u16(key) + u16(value.size()) + value; }

/// ServiceMode at the owner itself, with these SvcParams.
octets service(const octets& params) { return u16(1) + octets{0} + params; }

service_binding read(const octets& rdata) {
  const auto binding = parse_service_binding(rdata);
  REQUIRE(binding);
  return binding.value();
}

bool is_malformed(const octets& rdata) {
  const auto binding = parse_service_binding(rdata);
  return !binding && binding.error() == wire_error::bad_rdata;
}

const octets h2{2, 'h', '2'};

TEST_CASE("part of SEL-07: target, priority, port, ALPN and hints are read") {
  const auto binding = read(service_binding_data(16, labels("svc.example.net")));
  CHECK(binding.priority == 16);
  CHECK_FALSE(binding.is_alias());
  CHECK(binding.target.to_text() == "svc.example.net");
  CHECK(binding.port == 8443);
  CHECK(binding.alpn == std::vector<std::string>{"h2", "h3"});
  CHECK_FALSE(binding.no_default_alpn);
  CHECK(binding.usable);
  CHECK(binding.hints == std::vector{*address::parse("192.0.2.7"), *address::parse("2001:db8::7")});
  CHECK(read(service({})).target.is_root());
  CHECK_FALSE(read(service({})).port);
}

TEST_CASE("part of SEL-07: an alias is its target alone (RFC 9460 2.4.2: \"MUST ignore any SvcParams\")") {
  const auto alias = read(u16(0) + labels("pool.example.net") + param(3, u16(8443)) + octets{9});
  CHECK(alias.is_alias());
  CHECK(alias.target.to_text() == "pool.example.net");
  CHECK_FALSE(alias.port);
  CHECK(alias.usable);
}

TEST_CASE("part of SEL-07: a mandatory key that is not understood makes it unusable, not malformed") {
  CHECK(read(service(param(0, u16(1) + u16(3)) + param(1, h2) + param(3, u16(443)))).usable);
  CHECK_FALSE(read(service(param(0, u16(5)) + param(5, octets{1, 2}))).usable);  // ech
  CHECK_FALSE(read(service(param(0, u16(1) + u16(667)) + param(1, h2) + param(667, {}))).usable);
  CHECK(read(service(param(5, octets{1, 2}))).usable);  // not mandatory: not our concern
  CHECK(read(service(param(667, octets(300, 7)))).usable);
}

TEST_CASE("part of SEL-07: a contradictory record is unusable: a mandatory key that is absent, no ALPN at all") {
  CHECK_FALSE(read(service(param(0, u16(3)))).usable);
  CHECK_FALSE(read(service(param(0, u16(3)) + param(4, address_data("192.0.2.1")))).usable);
  CHECK_FALSE(read(service(param(2, {}))).usable);
  const auto only_h2 = read(service(param(1, h2) + param(2, {})));
  CHECK(only_h2.usable);
  CHECK(only_h2.no_default_alpn);
}

TEST_CASE("DNS-13: dohpath is kept as it is, and understood where it is mandatory (RFC 9461 section 5)") {
  const octets path{'/', 'q', '{', '?', 'd', 'n', 's', '}'};
  CHECK(read(service(param(1, h2) + param(7, path))).doh_path == "/q{?dns}");
  CHECK(read(service(param(0, u16(7)) + param(7, path))).usable);
  CHECK_FALSE(read(service(param(0, u16(7)))).usable);
  CHECK(read(service(param(1, h2))).doh_path.empty());
}

TEST_CASE("keys ascend strictly (RFC 9460 section 2.2)") {
  CHECK_FALSE(is_malformed(service(param(1, h2) + param(3, u16(1)))));
  CHECK(is_malformed(service(param(3, u16(1)) + param(1, h2))));
  CHECK(is_malformed(service(param(3, u16(1)) + param(3, u16(1)))));
  CHECK(is_malformed(service(param(700, {}) + param(700, {}))));
}

TEST_CASE("each value fits its key, or the record is malformed") {
  const std::vector<octets> wrong{
      param(0, {}),
      param(0, octets{0}),
      param(0, u16(0)),
      param(0, u16(3) + u16(1)) + param(1, h2) + param(3, u16(1)),
      param(0, u16(1) + u16(1)) + param(1, h2),
      param(1, {}),
      param(1, octets{0}),
      param(1, octets{3, 'h', '2'}),
      param(1, h2 + octets{0}),
      param(1, h2 + octets{1}),
      param(1, h2) + param(2, octets{1}),
      param(3, {}),
      param(3, octets{1}),
      param(3, octets{1, 2, 3}),
      param(4, {}),
      param(4, octets(5, 1)),
      param(6, {}),
      param(6, octets(4, 1)),
      param(6, octets(17, 1)),
  };
  for (const auto& params : wrong) {
    CAPTURE(params);
    CHECK(is_malformed(service(params)));
  }
}

TEST_CASE("the target is uncompressed and whole") {
  CHECK(is_malformed({}));
  CHECK(is_malformed(u16(1)));
  CHECK(is_malformed(u16(1) + octets{1}));
  CHECK(is_malformed(u16(1) + octets{1, 'a'}));
  CHECK(is_malformed(u16(1) + pointer(12)));
  CHECK(is_malformed(u16(1) + octets{1, 'a'} + pointer(12)));
  CHECK(is_malformed(u16(0) + pointer(12)));
  CHECK(is_malformed(u16(1) + octets{0x40, 0}));
  octets long_name;
  for (int i = 0; i < 128; ++i) long_name = long_name + octets{1, 'a'};
  CHECK(is_malformed(u16(1) + long_name + octets{0}));
}

TEST_CASE("SEC-04: a record cut at any octet is malformed, or ends between two SvcParams") {
  const auto whole = service_binding_data(1, labels("svc.example.net"));
  const std::size_t params_at = 2 + labels("svc.example.net").size();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    const std::vector<std::uint8_t> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const bool is_between =
        size == params_at || size == params_at + 10 || size == params_at + 16 || size == params_at + 24;
    CHECK(is_malformed(cut) == !is_between);
  }
}

}  // namespace
}  // namespace lbresolve::test
