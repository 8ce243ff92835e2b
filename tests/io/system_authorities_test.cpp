// What the system trusts: here, what the environment says that it is.
#include "io/system_authorities.hpp"

#include "io/tls_session.hpp"
#include "support/test_ca.hpp"
#include "support/tls_peer.hpp"

#include <lbresolve/tls_error.hpp>

#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <string>

namespace lbresolve::io {
namespace {

using test::certificate;
using test::test_ca;

certificate root(const std::string& name) { return test_ca::self_signed({.common_name = name, .authority = true}); }

certificate issued(const certificate& by, test::certificate_request wanted = {.names = {"server.test"}}) {
  certificate made = test_ca::issue_by(wanted, by);
  made.above.clear();  // servers do not send a root
  return made;
}

/// SSL_CERT_DIR, a directory made for it, and SSL_CERT_FILE, until the end of the block.
struct system_trust {
  system_trust() {
    std::filesystem::create_directory(directory);
    ::setenv("SSL_CERT_DIR", directory.c_str(), 1);
    ::setenv("SSL_CERT_FILE", "/nonexistent", 1);
  }
  ~system_trust() {
    ::unsetenv("SSL_CERT_DIR");
    ::unsetenv("SSL_CERT_FILE");
    std::filesystem::remove_all(directory);
  }
  system_trust(const system_trust&) = delete;
  system_trust& operator=(const system_trust&) = delete;

  /// As c_rehash(1) does it.
  void add_to_directory(const certificate& authority) const {
    std::ostringstream name;
    name << std::hex << std::setw(8) << std::setfill('0') << X509_subject_name_hash(authority.x509.get()) << ".0";
    std::ofstream(directory / name.str()) << authority.pem();
  }
  void make_file(const certificate& authority) const {
    std::ofstream(directory / "all.pem") << authority.pem();
    ::setenv("SSL_CERT_FILE", (directory / "all.pem").c_str(), 1);
  }

  const std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("lbresolve-authorities-" + std::to_string(::getpid()));
};

/// The error of a handshake with a server that has this certificate; none where it succeeds.
std::error_code shake_hands(const std::shared_ptr<tls_context>& shared, const certificate& servers,
                            const std::string& name = "server.test") {
  core::tls_identity who;
  who.name = name;
  const auto client = tls_session::create(shared, {.identity = who, .alpn = {}, .peer = "server.test:853"}).value();
  const auto context = test::tls_server_context({.with = servers});
  test::tls_peer server(context);
  client->start();
  for (int round = 0; round < 4 && client->now() == tls_session::state::handshaking; ++round) {
    server.receive(client->output());
    client->sent(client->output().size());
    client->receive(server.take_output());
  }
  if (client->now() == tls_session::state::failed) return client->failure().code();
  CHECK(client->now() == tls_session::state::open);
  return {};
}

TEST_CASE("DNS-05: an authority of the system's counts whether it is in the directory or in the file") {
  const certificate in_directory = root("one in the directory");
  const certificate in_file = root("one in the file");
  const system_trust system;
  system.add_to_directory(in_directory);
  system.make_file(in_file);
  const auto shared = tls_context::create().value();

  CHECK_FALSE(shake_hands(shared, issued(in_directory)));
  CHECK_FALSE(shake_hands(shared, issued(in_file)));
  CHECK_FALSE(shake_hands(shared, issued(in_file)));
  CHECK_FALSE(shake_hands(shared, issued(in_directory)));
  CHECK(shake_hands(shared, issued(root("one nowhere"))) == tls_errc::unknown_issuer);
}

TEST_CASE("DNS-05: an authority that is in the file alone vouches for the right name, time and use only") {
  const certificate in_file = root("one in the file");
  const system_trust system;
  system.make_file(in_file);
  const auto shared = tls_context::create().value();

  const certificate good = issued(in_file);
  const certificate old = issued(in_file, {.names = {"server.test"}, .from_seconds = -7200, .to_seconds = -3600});
  const certificate own = test_ca::self_signed({.names = {"server.test"}});
  const certificate below = issued(good, {.common_name = "below", .names = {"server.test"}});  // which is no authority
  for (int look = 0; look < 2; ++look) {
    CHECK(shake_hands(shared, good, "other.test") == tls_errc::wrong_name);
    CHECK(shake_hands(shared, old) == tls_errc::expired);
    CHECK(shake_hands(shared, own) == tls_errc::self_signed);
    CHECK(shake_hands(shared, below) == tls_errc::unknown_issuer);
    CHECK_FALSE(shake_hands(shared, good));
  }
}

TEST_CASE("DNS-05: where the system trusts nobody, every server is of an unknown issuer") {
  const system_trust system;
  const auto shared = tls_context::create().value();
  CHECK(shake_hands(shared, issued(root("one nowhere"))) == tls_errc::unknown_issuer);
}

}  // namespace
}  // namespace lbresolve::io
