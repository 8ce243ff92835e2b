#include "io/system_authorities.hpp"

#include <memory>
#include <mutex>

namespace lbresolve::io {

namespace {

/// Of a store whose file of authorities has not been read yet. OpenSSL 3.0 takes 15 to 40 ms for one with 140
/// certificates, more than most connections take altogether; where the directory has them too, nobody needs the file.
struct unread_file {
  std::once_flag read;
};

int index_in_store() noexcept {
  static const int index = CRYPTO_get_ex_new_index(
      CRYPTO_EX_INDEX_X509_STORE, 0, nullptr, nullptr, nullptr,
      [](void*, void* data, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<unread_file*>(data); });
  return index;
}

/// Of the store; made by the first call, so that later ones change nothing that other threads look at.
X509_LOOKUP* file_lookup(X509_STORE& store) noexcept { return X509_STORE_add_lookup(&store, X509_LOOKUP_file()); }

/// False where there is nothing that a first look has not had.
bool read_file(X509_STORE& store) {
  auto* const file = static_cast<unread_file*>(X509_STORE_get_ex_data(&store, index_in_store()));
  if (file == nullptr) return false;
  std::call_once(file->read, [&] {
    X509_LOOKUP_ctrl(file_lookup(store), X509_L_FILE_LOAD, nullptr, X509_FILETYPE_DEFAULT, nullptr);
    ERR_clear_error();  // a host without such a file
  });
  return true;
}

}  // namespace

bool trust_system_authorities(SSL_CTX& context) {
  X509_STORE& store = *SSL_CTX_get_cert_store(&context);
  if (SSL_CTX_set_default_verify_dir(&context) != 1 || file_lookup(store) == nullptr) return false;
  auto file = std::make_unique<unread_file>();
  if (X509_STORE_set_ex_data(&store, index_in_store(), file.get()) != 1) return false;
  (void)file.release();  // the store's now
  return true;
}

bool verify_chain(X509_STORE_CTX& chain) {
  if (X509_verify_cert(&chain) == 1) return true;
  X509_STORE& store = *X509_STORE_CTX_get0_store(&chain);
  if (!read_file(store)) return false;
  // A context is good for one look. The second has the same rules: name, purpose, flags.
  const x509_store_ctx_pointer again(X509_STORE_CTX_new());
  if (!again || X509_STORE_CTX_init(again.get(), &store, X509_STORE_CTX_get0_cert(&chain),
                                    X509_STORE_CTX_get0_untrusted(&chain)) != 1)
    return false;
  if (X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(again.get()), X509_STORE_CTX_get0_param(&chain)) != 1)
    return false;
  const bool holds = X509_verify_cert(again.get()) == 1;
  X509_STORE_CTX_set_error(&chain, X509_STORE_CTX_get_error(again.get()));
  X509_STORE_CTX_set_error_depth(&chain, X509_STORE_CTX_get_error_depth(again.get()));
  X509_STORE_CTX_set_current_cert(&chain, X509_STORE_CTX_get_current_cert(again.get()));
  return holds && X509_STORE_CTX_get_error(&chain) == X509_V_OK;
}

}  // namespace lbresolve::io
