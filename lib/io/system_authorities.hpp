// The authorities that the system trusts: a directory, looked into as needed, and a file, read only where that is not
// enough.
#pragma once

#include "io/openssl.hpp"

namespace lbresolve::io {

/// Makes sessions of `context` trust what OpenSSL trusts by default, SSL_CERT_DIR and SSL_CERT_FILE included. A host
/// without any: every certificate is of an unknown issuer.
/// @return false where memory runs out
bool trust_system_authorities(SSL_CTX& context);

/// Whether the server's certificate holds, as X509_verify_cert() says; where it does not, by everything that
/// trust_system_authorities() stands for.
/// @param chain ends up with the error, as X509_verify_cert() leaves it
bool verify_chain(X509_STORE_CTX& chain);

}  // namespace lbresolve::io
