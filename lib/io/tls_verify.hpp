// Whether a certificate is good enough for an identity, and if not, why, in words.
#pragma once

#include "core/tls_identity.hpp"
#include "io/openssl.hpp"

#include <lbresolve/error.hpp>

#include <optional>
#include <string>
#include <vector>

namespace lbresolve::io {

/// Makes `ssl` ask for what `identity` asks for: SNI, and what certificates are matched with.
/// @return false where OpenSSL does not take it
bool set_identity(SSL& ssl, const core::tls_identity& identity);

/// Looks at the chain that a server has sent.
/// @param chain as OpenSSL prepared it: with the server's certificates, the trusted ones, and what set_identity() said
/// @param who the server, for the sentence
/// @return why it is refused; nothing where it is good
std::optional<error> refuse(X509_STORE_CTX& chain, const core::tls_identity& identity, const std::string& who);

/// SHA-256 over a certificate's DER SubjectPublicKeyInfo; nothing where OpenSSL cannot say.
std::optional<core::spki_pin> spki_of(const X509& certificate);

/// The common name, or all of the name where it has none, as the certificate has it: text from outside.
std::string subject_of(const X509& certificate);
std::string issuer_of(const X509& certificate);
/// The names and addresses that a certificate is for (subjectAltName), as it has them: text from outside.
std::vector<std::string> all_names_of(const X509& certificate);
/// The first few of them, quoted: `"a.test", "192.0.2.1" and 3 more`.
std::string names_of(const X509& certificate);
/// "2026-01-31 12:00 UTC"
std::string text_of(const ASN1_TIME& when);

}  // namespace lbresolve::io
