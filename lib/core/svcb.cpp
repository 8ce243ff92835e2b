#include "core/svcb.hpp"

#include "core/wire_name.hpp"

#include <algorithm>
#include <utility>

namespace lbresolve::core {
namespace {

using octets = std::span<const std::uint8_t>;

/// SvcParamKeys of RFC 9460 section 14.3.2 that mean something to a program that opens connections; dohpath is of RFC
/// 9461 section 5.
enum class svc_key : std::uint16_t {
  mandatory = 0,
  alpn = 1,
  no_default_alpn = 2,
  port = 3,
  ipv4hint = 4,
  ipv6hint = 6,
  dohpath = 7
};

constexpr bool is_understood(std::uint16_t key) noexcept {
  return key <= static_cast<std::uint16_t>(svc_key::ipv4hint) || key == static_cast<std::uint16_t>(svc_key::ipv6hint) ||
         key == static_cast<std::uint16_t>(svc_key::dohpath);
}

/// Section 7.1.1: one or more identifiers, each of at least one octet, after its length.
bool read_alpn(octets value, service_binding& out) {
  if (value.empty()) return false;
  while (!value.empty()) {
    const std::size_t length = value[0];
    if (length == 0 || length >= value.size()) return false;
    out.alpn.emplace_back(value.begin() + 1, value.begin() + 1 + static_cast<std::ptrdiff_t>(length));
    value = value.subspan(length + 1);
  }
  return true;
}

/// Section 7.3: one or more addresses, back to back.
template <std::size_t Size, class MakeAddress>
bool read_hints(octets value, service_binding& out, MakeAddress make) {
  if (value.empty() || value.size() % Size != 0) return false;
  for (; !value.empty(); value = value.subspan(Size)) {
    std::array<std::uint8_t, Size> one{};
    std::copy_n(value.begin(), Size, one.begin());
    out.hints.push_back(make(one));
  }
  return true;
}

/// Section 8: a list of keys that ascends strictly and does not name itself.
bool is_mandatory_list(octets value) noexcept {
  if (value.empty() || value.size() % 2 != 0) return false;
  auto previous = static_cast<std::uint16_t>(svc_key::mandatory);
  for (; !value.empty(); value = value.subspan(2)) {
    const std::uint16_t key = load_u16(value.data());
    if (key <= previous) return false;
    previous = key;
  }
  return true;
}

bool read_value(std::uint16_t key, octets value, service_binding& out) {
  switch (static_cast<svc_key>(key)) {
    case svc_key::mandatory:
      return is_mandatory_list(value);
    case svc_key::alpn:
      return read_alpn(value, out);
    case svc_key::no_default_alpn:
      out.no_default_alpn = true;
      return value.empty();
    case svc_key::port:
      if (value.size() != 2) return false;
      out.port = load_u16(value.data());
      return true;
    case svc_key::ipv4hint:
      return read_hints<4>(value, out, [](const auto& v4) { return address::v4(v4); });
    case svc_key::ipv6hint:
      return read_hints<16>(value, out, [](const auto& v6) { return address::v6(v6); });
    case svc_key::dohpath:
      out.doh_path.assign(value.begin(), value.end());
      return true;
  }
  return true;  // a key from the future, or one of no use here: its value can be anything
}

/// One SvcParam, cut off the front of `params`.
struct svc_param {
  std::uint16_t key = 0;
  octets value;
};

std::optional<svc_param> take_param(octets& params) noexcept {
  if (params.size() < 4) return std::nullopt;
  const std::size_t length = load_u16(params.data() + 2);
  if (params.size() - 4 < length) return std::nullopt;
  const svc_param param{load_u16(params.data()), params.subspan(4, length)};
  params = params.subspan(4 + length);
  return param;
}

/// Whether every key in `mandatory` is understood and there. Both lists ascend.
bool has_mandatory(octets mandatory, octets params) noexcept {
  for (; !mandatory.empty(); mandatory = mandatory.subspan(2)) {
    const std::uint16_t wanted = load_u16(mandatory.data());
    auto param = take_param(params);
    while (param && param->key < wanted) param = take_param(params);
    if (!param || param->key != wanted || !is_understood(wanted)) return false;
  }
  return true;
}

/// Section 2.2: reads all SvcParams into `out`; false where one is malformed.
bool read_params(octets params, service_binding& out) {
  const octets all = params;
  octets mandatory;
  int previous = -1;
  while (!params.empty()) {
    const auto param = take_param(params);
    if (!param || int{param->key} <= previous || !read_value(param->key, param->value, out)) return false;
    previous = param->key;
    if (param->key == static_cast<std::uint16_t>(svc_key::mandatory)) mandatory = param->value;
  }
  // A record that contradicts itself is skipped like one that asks for what we cannot do (sections 7.1.1 and 8).
  out.usable = has_mandatory(mandatory, all) && (!out.no_default_alpn || !out.alpn.empty());
  return true;
}

/// Octets up to and with the root's zero of the name in front, were it uncompressed as section 2.2 demands; 0 for none.
std::size_t target_length(octets rdata) noexcept {
  for (std::size_t at = 0; at < rdata.size(); at += rdata[at] + std::size_t{1}) {
    if (rdata[at] == 0) return at + 1;
  }
  return 0;
}

}  // namespace

wire_result<service_binding> parse_service_binding(std::span<const std::uint8_t> rdata) {
  if (rdata.size() < 3) return wire_error::bad_rdata;
  service_binding out;
  out.priority = load_u16(rdata.data());
  const octets behind = rdata.subspan(2);
  const std::size_t length = target_length(behind);
  if (length == 0) return wire_error::bad_rdata;
  auto target = name::from_wire(behind.first(length));
  if (!target) return wire_error::bad_rdata;
  out.target = std::move(target).assume_value();
  // Section 2.4.2: "Recipients MUST ignore any SvcParams" of an alias.
  if (out.is_alias()) return out;
  if (!read_params(behind.subspan(length), out)) return wire_error::bad_rdata;
  return out;
}

}  // namespace lbresolve::core
