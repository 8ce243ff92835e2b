// The system's resolver configuration, read from the text of resolv.conf(5).
#pragma once

#include "core/name.hpp"

#include <lbresolve/endpoint.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lbresolve::core {

/// resolv.conf(5), with glibc's reading where the manual leaves room.
struct resolv_conf {
  /// A link-local server whose scope is an interface name: "nameserver fe80::1%eth0". Only io/ knows its number.
  struct named_scope {
    std::size_t server = 0;  ///< index into `servers`; that address has scope 0 until resolve_scopes()
    std::string interface;
    friend bool operator==(const named_scope&, const named_scope&) = default;
  };

  /// In file order, without duplicates, port 53. All of them, where glibc stops at three: its limit is the size of an
  /// array, and a fourth server is only asked when three have failed.
  std::vector<endpoint> servers;
  std::vector<named_scope> named_scopes;
  std::vector<name> search;  ///< of the last `search` or `domain` line; the root stands for "as it is"
  int ndots = 1;             ///< 0 to 15
  std::optional<std::chrono::seconds> timeout;  ///< of one try, 1 to 30
  std::optional<int> attempts;                  ///< rounds over all servers, 1 to 5
  bool rotate = false;
  bool edns0 = false;
  bool trust_ad = false;
  bool use_tcp = false;  ///< "use-vc"
  bool no_aaaa = false;
  std::vector<std::string> warnings;  ///< one sentence each, with the line number; safe to print

  /// What counts where there is no file: the server on this host (resolv.conf(5), "nameserver").
  static resolv_conf fallback();

  friend bool operator==(const resolv_conf&, const resolv_conf&) = default;

  /// Gives every named scope its number; `index_of` returns 0 for an interface that does not exist, and its server is
  /// then dropped with a warning. Where no server is left, the one of fallback() takes their place.
  void resolve_scopes(const std::function<std::uint32_t(const std::string& interface)>& index_of);
};

/// Never fails: a line that cannot be read is left out with a warning, an unknown option silently (resolv.conf(5): new
/// options come with new versions of libc). Without any server it is the one of fallback().
resolv_conf parse_resolv_conf(std::string_view text);

}  // namespace lbresolve::core
