#include <lbresolve/error.hpp>
#include <lbresolve/tls_error.hpp>
#include <lbresolve/trace.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>

using namespace lbresolve;

namespace {

constexpr errc all[] = {errc::invalid_target,  errc::invalid_option, errc::name_not_found, errc::no_addresses,
                        errc::upstream_failed, errc::timed_out,      errc::connect_failed, errc::cancelled,
                        errc::local_resources, errc::unsupported,    errc::tls_failed,     errc::certificate_rejected};

}  // namespace

TEST_CASE("every error code has a sentence of its own, and an unknown number says that it is one") {
  std::set<std::string> sentences;
  for (const errc e : all) sentences.insert(make_error_code(e).message());
  CHECK(sentences.size() == std::size(all));
  CHECK(sentences.count("") == 0);
  CHECK(error_category().message(12345).find("12345") != std::string::npos);
  CHECK(std::string(error_category().name()) == "lbresolve");
}

TEST_CASE("error codes equal the conditions of std::errc that fit them, and no others") {
  CHECK(make_error_code(errc::timed_out) == std::errc::timed_out);
  CHECK(make_error_code(errc::cancelled) == std::errc::operation_canceled);
  CHECK(make_error_code(errc::invalid_target) == std::errc::invalid_argument);
  CHECK(make_error_code(errc::invalid_option) == std::errc::invalid_argument);
  CHECK(make_error_code(errc::unsupported) == std::errc::not_supported);
  for (const auto c : {std::errc::not_enough_memory, std::errc::too_many_files_open,
                       std::errc::too_many_files_open_in_system, std::errc::no_buffer_space}) {
    CHECK(make_error_code(errc::local_resources) == c);
    CHECK(make_error_code(errc::connect_failed) != c);
  }
  CHECK(make_error_code(errc::timed_out) != std::errc::operation_canceled);
  CHECK(make_error_code(errc::local_resources) != std::errc::timed_out);
  for (const errc e : {errc::name_not_found, errc::no_addresses, errc::upstream_failed, errc::connect_failed}) {
    CHECK(make_error_code(e) != std::errc::timed_out);
    CHECK(make_error_code(e).default_error_condition().category() == error_category());
  }
}

TEST_CASE("an error compares with an errc and with a condition, and converts from an errc") {
  const error e = errc::timed_out;
  CHECK(e == errc::timed_out);
  CHECK_FALSE(e == errc::cancelled);
  CHECK(e == std::make_error_condition(std::errc::timed_out));
  const std::error_code code = errc::unsupported;
  CHECK(code == make_error_code(errc::unsupported));
}

TEST_CASE("an error's message is its sentence, or else that of its code") {
  CHECK(error(errc::timed_out).message() == make_error_code(errc::timed_out).message());
  CHECK(error(make_error_code(errc::timed_out), "www.example.com: no answer in 5 s").message() ==
        "www.example.com: no answer in 5 s");
  const error refused(std::make_error_code(std::errc::connection_refused));
  CHECK(refused.message() == std::make_error_code(std::errc::connection_refused).message());
}

TEST_CASE("every error is of one kind, that of its finer reason or of the errno that all attempts failed with") {
  CHECK(kind_of(error(errc::name_not_found)) == errc::name_not_found);
  CHECK(kind_of(error(make_error_code(tls_errc::expired))) == errc::certificate_rejected);
  CHECK(kind_of(error(std::make_error_code(std::errc::timed_out))) == errc::timed_out);
  CHECK(kind_of(error(std::make_error_code(std::errc::connection_refused))) == errc::connect_failed);
  CHECK(std::string(to_string(errc::certificate_rejected)) == "certificate_rejected");
  CHECK(reason_of(std::make_error_code(std::errc::connection_refused)) == "refused");
  CHECK(reason_of(make_error_code(errc::no_addresses)) == make_error_code(errc::no_addresses).message());
}

TEST_CASE("an error shares its story, and has none unless given one") {
  CHECK(error(errc::timed_out).story() == nullptr);
  auto story = std::make_shared<trace>();
  story->target = "www.example.com:443";
  const error e(make_error_code(errc::timed_out), "", story);
  const error copy = e;
  CHECK(copy.story() == e.story());
  CHECK(copy.story()->target == "www.example.com:443");
}

TEST_CASE("the value of a result without one throws std::system_error with code and sentence") {
  const result<int> bad = error(make_error_code(errc::invalid_target), "the port is missing");
  try {
    static_cast<void>(bad.value());
    FAIL("nothing was thrown");
  } catch (const std::system_error& e) {
    CHECK(e.code() == errc::invalid_target);
    CHECK(std::string(e.what()).find("the port is missing") != std::string::npos);
  }
}
