// Certificates for tests, made in memory.
#pragma once

#include "core/tls_identity.hpp"
#include "io/openssl.hpp"

#include <string>
#include <vector>

namespace lbresolve::test {

struct certificate {
  std::shared_ptr<X509> x509;
  std::shared_ptr<EVP_PKEY> key;
  std::vector<std::shared_ptr<X509>> above;  ///< what a server sends with it

  core::spki_pin pin() const;
  std::string pem() const;
  std::string key_pem() const;
};

struct certificate_request {
  std::string common_name = "a server";
  std::vector<std::string> names{};      ///< subjectAltName dNSName
  std::vector<std::string> addresses{};  ///< subjectAltName iPAddress
  long from_seconds = -3600;             ///< relative to now
  long to_seconds = 3600;
  bool authority = false;
};

class test_ca {
 public:
  test_ca();

  certificate issue(const certificate_request& wanted) const { return sign(wanted, &root_); }
  /// Signed by `by`, which is sent along.
  static certificate issue_by(const certificate_request& wanted, const certificate& by);
  static certificate self_signed(const certificate_request& wanted) { return sign(wanted, nullptr); }

  const certificate& root() const noexcept { return root_; }
  /// The path of a file with root()'s certificate; removed with this object.
  const std::string& file() const noexcept { return file_.path; }

 private:
  struct temporary_file {
    explicit temporary_file(const std::string& content);
    ~temporary_file();
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;
    std::string path;
  };

  static certificate sign(const certificate_request& wanted, const certificate* by);

  certificate root_;
  temporary_file file_;
};

}  // namespace lbresolve::test
