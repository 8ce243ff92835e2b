#include "io/tls_verify.hpp"

#include "core/quoted.hpp"
#include "io/system_authorities.hpp"

#include <lbresolve/tls_error.hpp>

#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string_view>
#include <vector>

namespace lbresolve::io {

namespace {

using stack_pointer = std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * s) { sk_X509_free(s); })>;
using names_pointer = std::unique_ptr<GENERAL_NAMES, openssl_free<&GENERAL_NAMES_free>>;
using text_pointer = std::unique_ptr<unsigned char, decltype([](unsigned char* p) { OPENSSL_free(p); })>;

std::string_view view_of(const ASN1_STRING* s) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(s)), static_cast<std::size_t>(ASN1_STRING_length(s))};
}

std::string address_text(const ASN1_OCTET_STRING* octets) {
  const std::string_view raw = view_of(octets);
  if (raw.size() == 4) {
    std::array<std::uint8_t, 4> v4{};
    std::copy(raw.begin(), raw.end(), v4.begin());
    return address::v4(v4).to_string();
  }
  std::array<std::uint8_t, 16> v6{};
  if (raw.size() != v6.size()) return "an address of " + std::to_string(raw.size()) + " octets";
  std::copy(raw.begin(), raw.end(), v6.begin());
  return address::v6(v6).to_string();
}

bool is_pinned(const X509& certificate, const std::vector<core::spki_pin>& pins) {
  const auto own = spki_of(certificate);
  return own && std::find(pins.begin(), pins.end(), *own) != pins.end();
}

// Anybody can put the pinned certificate of an authority beside a certificate of his own: the leaf has to lead there by
// signatures, and be for the name where one is asked for, as one authority serves many.
bool leads_to(X509_STORE_CTX& chain, X509* anchor) {
  const stack_pointer trusted(sk_X509_new_null());
  const x509_store_ctx_pointer path(X509_STORE_CTX_new());
  if (!trusted || !path || sk_X509_push(trusted.get(), anchor) == 0) return false;
  if (X509_STORE_CTX_init(path.get(), nullptr, X509_STORE_CTX_get0_cert(&chain),
                          X509_STORE_CTX_get0_untrusted(&chain)) != 1)
    return false;
  X509_STORE_CTX_set0_trusted_stack(path.get(), trusted.get());
  X509_VERIFY_PARAM* const rules = X509_STORE_CTX_get0_param(path.get());
  if (X509_VERIFY_PARAM_set1(rules, X509_STORE_CTX_get0_param(&chain)) != 1) return false;
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_PARTIAL_CHAIN);
  return X509_verify_cert(path.get()) == 1;
}

// RFC 7858 section 4.2: the pins decide, and no authority is asked. The owner of the pinned key of the leaf is who was
// meant, whatever else the certificate says.
std::optional<error> refuse_by_pins(X509_STORE_CTX& chain, const std::vector<core::spki_pin>& pins,
                                    const std::string& who) {
  X509* const leaf = X509_STORE_CTX_get0_cert(&chain);
  if (is_pinned(*leaf, pins)) return std::nullopt;
  STACK_OF(X509)* const others = X509_STORE_CTX_get0_untrusted(&chain);
  for (int i = 0; i < sk_X509_num(others); ++i) {
    X509* const other = sk_X509_value(others, i);
    if (other != leaf && is_pinned(*other, pins) && leads_to(chain, other)) return std::nullopt;
  }
  return error(make_error_code(tls_errc::wrong_pin), "none of the pins matches the certificate of " + who);
}

/// A common name, or all of the name where it has none.
std::string common_name_of(const X509_NAME* name) {
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at >= 0) return std::string(view_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))));
  std::array<char, 256> text{};
  X509_NAME_oneline(name, text.data(), static_cast<int>(text.size()));
  return text.data();
}

tls_errc reason_of(int verify_error) {
  switch (verify_error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
      return tls_errc::wrong_name;
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return tls_errc::wrong_address;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return tls_errc::expired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return tls_errc::not_yet_valid;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return tls_errc::self_signed;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return tls_errc::unknown_issuer;
    default:
      return tls_errc::bad_certificate;
  }
}

std::string sentence_for(X509_STORE_CTX& chain, tls_errc why, const core::tls_identity& wanted,
                         const std::string& who) {
  const X509* const leaf = X509_STORE_CTX_get0_cert(&chain);
  const X509* const current = X509_STORE_CTX_get_current_cert(&chain);
  const X509& at_fault = current != nullptr ? *current : *leaf;
  const bool is_leaf = X509_STORE_CTX_get_error_depth(&chain) == 0;
  const std::string its =
      is_leaf ? "the certificate of " + who
              : "the certificate " + core::quoted(subject_of(at_fault)) + ", which that of " + who + " depends on,";
  switch (why) {
    case tls_errc::wrong_name:
      return "the certificate of " + who + " is for " + names_of(*leaf) + ", not for " + core::quoted(wanted.name);
    case tls_errc::wrong_address:
      return "the certificate of " + who + " is for " + names_of(*leaf) + ", not for " + wanted.address->to_string();
    case tls_errc::expired:
      return its + " expired at " + text_of(*X509_get0_notAfter(&at_fault));
    case tls_errc::not_yet_valid:
      return its + " is not valid before " + text_of(*X509_get0_notBefore(&at_fault));
    case tls_errc::self_signed:
      return "the certificate of " + who + " is self-signed, and not trusted";
    case tls_errc::unknown_issuer:
      return its + " was issued by " + core::quoted(issuer_of(at_fault)) + ", which is not a trusted authority";
    default:
      return its + " cannot be accepted: " + X509_verify_cert_error_string(X509_STORE_CTX_get_error(&chain));
  }
}

}  // namespace

// RFC 8310 section 8.1 and RFC 9525 section 6.3: only subjectAltName counts, and a wildcard stands for one whole label.
bool set_identity(SSL& ssl, const core::tls_identity& identity) {
  // SSL_set_tlsext_host_name() is a macro with casts that this project's warnings refuse.
  std::string name = identity.name;
  if (!name.empty() && SSL_ctrl(&ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) != 1)
    return false;
  if (!identity.verify) return true;
  X509_VERIFY_PARAM* const rules = SSL_get0_param(&ssl);
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (!identity.name.empty())
    return X509_VERIFY_PARAM_set1_host(rules, identity.name.data(), identity.name.size()) == 1;
  if (!identity.address) return true;
  const auto octets = identity.address->bytes();
  return X509_VERIFY_PARAM_set1_ip(rules, octets.data(), octets.size()) == 1;
}

std::optional<error> refuse(X509_STORE_CTX& chain, const core::tls_identity& identity, const std::string& who) {
  if (!identity.verify) return std::nullopt;
  if (!identity.pins.empty()) {
    auto refused = refuse_by_pins(chain, identity.pins, who);
    X509_STORE_CTX_set_error(&chain, refused ? X509_V_ERR_APPLICATION_VERIFICATION : X509_V_OK);
    return refused;
  }
  if (verify_chain(chain)) return std::nullopt;
  const tls_errc why = reason_of(X509_STORE_CTX_get_error(&chain));
  return error(make_error_code(why), sentence_for(chain, why, identity, who));
}

std::optional<core::spki_pin> spki_of(const X509& certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(&certificate), &der);
  if (size <= 0) return std::nullopt;
  const text_pointer owned(der);
  core::spki_pin out{};
  SHA256(der, static_cast<std::size_t>(size), out.data());
  return out;
}

std::string subject_of(const X509& certificate) { return common_name_of(X509_get_subject_name(&certificate)); }
std::string issuer_of(const X509& certificate) { return common_name_of(X509_get_issuer_name(&certificate)); }

std::vector<std::string> all_names_of(const X509& certificate) {
  const names_pointer names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> all;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const n = sk_GENERAL_NAME_value(names.get(), i);
    if (n->type == GEN_DNS) all.emplace_back(view_of(n->d.dNSName));
    if (n->type == GEN_IPADD) all.push_back(address_text(n->d.iPAddress));
  }
  return all;
}

std::string names_of(const X509& certificate) {
  constexpr std::size_t most = 4;
  const std::vector<std::string> all = all_names_of(certificate);
  if (all.empty()) return "no name at all";
  std::string text = core::quoted(all.front());
  for (std::size_t i = 1; i < std::min(all.size(), most); ++i) text += ", " + core::quoted(all[i]);
  if (all.size() > most) text += " and " + std::to_string(all.size() - most) + " more";
  return text;
}

std::string text_of(const ASN1_TIME& when) {
  std::tm t{};
  std::array<char, 64> text{};
  if (ASN1_TIME_to_tm(&when, &t) != 1 || std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &t) == 0)
    return "an unreadable time";
  return text.data();
}

}  // namespace lbresolve::io
