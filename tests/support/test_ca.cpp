#include "support/test_ca.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>

namespace lbresolve::test {

namespace {

void require(bool ok) {
  if (!ok) throw std::runtime_error("OpenSSL could not make a test certificate");
}

void add_extension(X509* to, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  X509_EXTENSION* const e = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  require(e != nullptr && X509_add_ext(to, e, -1) == 1);
  X509_EXTENSION_free(e);
}

std::string alternative_names(const certificate_request& r) {
  std::string text;
  for (const std::string& n : r.names) text += (text.empty() ? "DNS:" : ",DNS:") + n;
  for (const std::string& a : r.addresses) text += (text.empty() ? "IP:" : ",IP:") + a;
  return text;
}

template <class Write>
std::string pem_of(Write write) {
  BIO* const out = BIO_new(BIO_s_mem());
  require(write(out) == 1);
  char* at = nullptr;
  const long size = BIO_get_mem_data(out, &at);
  std::string text(at, static_cast<std::size_t>(size));
  BIO_free(out);
  return text;
}

}  // namespace

core::spki_pin certificate::pin() const {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509.get()), &der);
  require(size > 0);
  core::spki_pin out{};
  SHA256(der, static_cast<std::size_t>(size), out.data());
  OPENSSL_free(der);
  return out;
}

std::string certificate::pem() const {
  std::string text = pem_of([&](BIO* b) { return PEM_write_bio_X509(b, x509.get()); });
  for (const auto& a : above) text += pem_of([&](BIO* b) { return PEM_write_bio_X509(b, a.get()); });
  return text;
}

std::string certificate::key_pem() const {
  return pem_of([&](BIO* b) { return PEM_write_bio_PrivateKey(b, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
}

test_ca::temporary_file::temporary_file(const std::string& content) : path("/tmp/lbresolve-test-ca-XXXXXX") {
  const int fd = ::mkstemp(path.data());
  require(fd >= 0 && ::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  ::close(fd);
}

test_ca::temporary_file::~temporary_file() { ::unlink(path.c_str()); }

test_ca::test_ca()
    : root_(self_signed({.common_name = "lbresolve test authority", .authority = true})), file_(root_.pem()) {}

certificate test_ca::issue_by(const certificate_request& wanted, const certificate& by) {
  certificate made = sign(wanted, &by);
  made.above.push_back(by.x509);
  made.above.insert(made.above.end(), by.above.begin(), by.above.end());
  return made;
}

certificate test_ca::sign(const certificate_request& wanted, const certificate* by) {
  static std::atomic<long> serial{1};
  certificate c;
  c.x509.reset(X509_new(), &X509_free);
  c.key.reset(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  require(c.x509 && c.key);
  X509* const x = c.x509.get();
  X509* const issuer = by == nullptr ? x : by->x509.get();
  X509_set_version(x, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
  X509_gmtime_adj(X509_getm_notBefore(x), wanted.from_seconds);
  X509_gmtime_adj(X509_getm_notAfter(x), wanted.to_seconds);
  X509_set_pubkey(x, c.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(wanted.common_name.c_str()), -1, -1, 0);
  X509_set_issuer_name(x, X509_get_subject_name(issuer));
  add_extension(x, issuer, NID_basic_constraints, wanted.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  add_extension(x, issuer, NID_subject_key_identifier, "hash");
  const std::string names = alternative_names(wanted);
  if (!names.empty()) add_extension(x, issuer, NID_subject_alt_name, names);
  require(X509_sign(x, by == nullptr ? c.key.get() : by->key.get(), EVP_sha256()) > 0);
  return c;
}

}  // namespace lbresolve::test
