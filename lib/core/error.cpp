#include <lbresolve/error.hpp>
#include <lbresolve/tls_error.hpp>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

namespace lbresolve {
namespace {

bool is_one_of(const std::error_condition& wanted, std::initializer_list<std::errc> those) noexcept {
  return std::any_of(those.begin(), those.end(), [&](std::errc e) { return wanted == std::make_error_condition(e); });
}

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "lbresolve"; }

  std::string message(int value) const override {
    switch (static_cast<errc>(value)) {
      case errc::invalid_target:
        return "the target is not of the form host:port";
      case errc::invalid_option:
        return "an option cannot be used";
      case errc::name_not_found:
        return "the name does not exist";
      case errc::no_addresses:
        return "the name has no address of a usable family";
      case errc::upstream_failed:
        return "no DNS server gave a usable answer";
      case errc::timed_out:
        return "the deadline passed";
      case errc::connect_failed:
        return "no address could be connected to";
      case errc::cancelled:
        return "the operation was cancelled";
      case errc::local_resources:
        return "this process is out of descriptors or memory";
      case errc::unsupported:
        return "not supported by this build";
      case errc::tls_failed:
        return "TLS could not be established";
      case errc::certificate_rejected:
        return "the server's certificate was rejected";
    }
    return "unknown lbresolve error " + std::to_string(value);
  }

  std::error_condition default_error_condition(int value) const noexcept override {
    switch (static_cast<errc>(value)) {
      case errc::invalid_target:
      case errc::invalid_option:
        return std::errc::invalid_argument;
      case errc::timed_out:
        return std::errc::timed_out;
      case errc::cancelled:
        return std::errc::operation_canceled;
      case errc::local_resources:
        return std::errc::not_enough_memory;
      case errc::unsupported:
        return std::errc::not_supported;
      case errc::name_not_found:
      case errc::no_addresses:
      case errc::upstream_failed:
      case errc::connect_failed:
      case errc::tls_failed:
      case errc::certificate_rejected:
        break;
    }
    return {value, *this};
  }

  /// Descriptors and memory run out in several ways; a caller who asks for any of them means this one.
  bool equivalent(int value, const std::error_condition& wanted) const noexcept override {
    if (static_cast<errc>(value) == errc::local_resources) {
      return is_one_of(wanted, {std::errc::not_enough_memory, std::errc::too_many_files_open,
                                std::errc::too_many_files_open_in_system, std::errc::no_buffer_space}) ||
             wanted == std::error_condition(value, *this);
    }
    return default_error_condition(value) == wanted || wanted == std::error_condition(value, *this);
  }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const category instance;
  return instance;
}

std::error_code make_error_code(errc code) noexcept { return {static_cast<int>(code), error_category()}; }

const char* to_string(errc code) noexcept {
  switch (code) {
    case errc::invalid_target:
      return "invalid_target";
    case errc::invalid_option:
      return "invalid_option";
    case errc::name_not_found:
      return "name_not_found";
    case errc::no_addresses:
      return "no_addresses";
    case errc::upstream_failed:
      return "upstream_failed";
    case errc::timed_out:
      return "timed_out";
    case errc::connect_failed:
      return "connect_failed";
    case errc::cancelled:
      return "cancelled";
    case errc::local_resources:
      return "local_resources";
    case errc::unsupported:
      return "unsupported";
    case errc::tls_failed:
      return "tls_failed";
    case errc::certificate_rejected:
      return "certificate_rejected";
  }
  return "unknown";
}

std::string reason_of(const std::error_code& code) {
  static constexpr std::array<std::pair<std::errc, const char*>, 11> known{{
      {std::errc::connection_refused, "refused"},
      {std::errc::network_unreachable, "unreachable network"},
      {std::errc::host_unreachable, "unreachable host"},
      {std::errc::network_down, "network down"},
      {std::errc::timed_out, "no answer"},
      {std::errc::connection_reset, "reset"},
      {std::errc::permission_denied, "forbidden by a firewall or this host"},
      {std::errc::operation_not_permitted, "forbidden on this host"},
      {std::errc::address_not_available, "no local address to send from"},
      {std::errc::too_many_files_open, "out of descriptors"},
      {std::errc::operation_canceled, "cancelled"},
  }};
  for (const auto& [condition, words] : known)
    if (code == condition) return words;
  return code.message();
}

errc kind_of(const error& e) noexcept {
  if (e.code().category() == error_category()) return static_cast<errc>(e.code().value());
  for (const errc finer : {errc::certificate_rejected, errc::tls_failed, errc::local_resources})
    if (e.code().category() == tls_category() && e == finer) return finer;
  return e == std::errc::timed_out ? errc::timed_out : errc::connect_failed;
}

error::error(std::error_code code, std::string sentence, std::shared_ptr<const lbresolve::trace> story)
    : code_(code),
      sentence_(sentence.empty() ? nullptr : std::make_shared<const std::string>(std::move(sentence))),
      story_(std::move(story)) {}

std::string error::message() const { return sentence_ ? *sentence_ : code_.message(); }

void outcome_throw_as_system_error_with_payload(const error& e) { throw std::system_error(e.code(), e.message()); }

}  // namespace lbresolve
