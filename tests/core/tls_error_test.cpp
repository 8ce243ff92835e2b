#include <lbresolve/error.hpp>
#include <lbresolve/tls_error.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace lbresolve {
namespace {

constexpr int last = static_cast<int>(tls_errc::local_failure);

TEST_CASE("USE-08: every reason of TLS has words of its own, and means one thing that a caller can act on") {
  std::set<std::string> words;
  for (int i = 1; i <= last; ++i) {
    const auto code = static_cast<tls_errc>(i);
    const error e(make_error_code(code));
    CHECK(words.insert(e.message()).second);
    CHECK((e == errc::certificate_rejected) == is_certificate_error(e.code()));
    CHECK((e == errc::tls_failed) == (!is_certificate_error(e.code()) && code != tls_errc::local_failure));
    CHECK_FALSE(e == errc::connect_failed);
  }
  CHECK(error(make_error_code(tls_errc::local_failure)) == errc::local_resources);
  CHECK(words.size() == static_cast<std::size_t>(last));
}

TEST_CASE("USE-08: codes of others are not taken for reasons of TLS") {
  CHECK_FALSE(is_certificate_error(make_error_code(errc::timed_out)));
  CHECK_FALSE(is_certificate_error({1, std::system_category()}));
  CHECK_FALSE(error({static_cast<int>(errc::tls_failed), std::system_category()}) == errc::tls_failed);
}

}  // namespace
}  // namespace lbresolve
