// What is asked: a name and a type, class IN.
#pragma once

#include "core/name.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>

namespace lbresolve::core {

/// RR types this library reads (IANA "DNS Parameters"). Others are kept as numbers.
enum class rr_type : std::uint16_t {
  a = 1,
  cname = 5,
  soa = 6,
  aaaa = 28,
  srv = 33,
  opt = 41,
  svcb = 64,
  https = 65,
};

struct question {
  core::name name;
  rr_type type = rr_type::a;
  friend bool operator==(const question&, const question&) = default;
};

}  // namespace lbresolve::core

template <>
struct std::hash<lbresolve::core::question> {
  std::size_t operator()(const lbresolve::core::question& q) const noexcept {
    return q.name.hash() * 31 + static_cast<std::size_t>(q.type);
  }
};
