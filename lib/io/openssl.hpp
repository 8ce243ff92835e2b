// What OpenSSL makes, owned; and its errors, which must not be left to whoever uses this thread next.
#pragma once

#include "io/fork.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

namespace lbresolve::io {

/// Freeing takes locks of the whole process too, and what a user was given is freed on any thread.
template <auto Free>
struct openssl_free {
  template <class T>
  void operator()(T* p) const noexcept {
    const fork_shelter::of_this_thread inside;
    Free(p);
  }
};

using ssl_pointer = std::unique_ptr<SSL, openssl_free<&SSL_free>>;
using ssl_ctx_pointer = std::unique_ptr<SSL_CTX, openssl_free<&SSL_CTX_free>>;
using ssl_session_pointer = std::unique_ptr<SSL_SESSION, openssl_free<&SSL_SESSION_free>>;
using x509_store_ctx_pointer = std::unique_ptr<X509_STORE_CTX, openssl_free<&X509_STORE_CTX_free>>;

/// OpenSSL keeps a queue of errors for each thread, and SSL_get_error() looks at what is in it: what others left there
/// must not be taken for ours, and the other way round.
class own_error_queue {
 public:
  own_error_queue() noexcept { ERR_clear_error(); }
  ~own_error_queue() { ERR_clear_error(); }
  own_error_queue(const own_error_queue&) = delete;
  own_error_queue& operator=(const own_error_queue&) = delete;
};

}  // namespace lbresolve::io
