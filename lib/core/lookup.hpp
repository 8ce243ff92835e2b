// One target's name, from what was asked to what is known about it.
//
// A lookup goes through the places that can answer, in this order, and stops at the first that does:
//   1. the target is an IP address;
//   2. a special name, which never goes out (RFC 6761);
//   3. the hosts file;
//   4. the names that the search list makes of it, one after the other: for each, HTTPS, AAAA and A are asked at once
//      (RFC 8305 section 3), and the next name is tried only when all of them say there is nothing. Of a service only
//      SRV is asked: what its records name is for service_lookup.
// Each type is reported as soon as it is certain: an address found is certain at once; "none" is certain when no later
// name of the search list can say otherwise.
#pragma once

#include "core/answer.hpp"
#include "core/nat64.hpp"
#include "core/question.hpp"
#include "core/rebinding_filter.hpp"
#include "core/system_settings.hpp"
#include "core/target.hpp"
#include "core/time.hpp"

#include <lbresolve/error.hpp>
#include <lbresolve/trace.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lbresolve::core {

/// What a lookup is about.
struct lookup_request {
  core::target what;
  std::vector<rr_type> types;  ///< in the order to ask them: https, aaaa, a; or srv
  bool search = true;
  std::optional<nat64_prefix> nat64;  ///< for what IPv4 addresses become; the lookup itself leaves them as they are
  bool ask_aaaa = true;  ///< false: AAAA only from what is at hand, as this host could not use one from afar
  std::shared_ptr<const rebinding_filter> rebinding;  ///< null: every address will do
  bool is_alias_target = false;  ///< HTTPS is asked at the name itself, whatever the port (RFC 9460 section 3)
};

/// Thread-safety: one thread at a time.
class lookup {
 public:
  lookup(lookup_request request, std::shared_ptr<const system_settings> system);

  struct action {
    enum class kind : std::uint8_t {
      ask,    ///< `asked`, of the cache or an upstream
      found,  ///< `what` has the records of `type`
      none,   ///< there are none of `type`, or they could not be found out
      wait,   ///< for on_answer()
      done,   ///< every type has been reported
    };
    kind is = kind::wait;
    rr_type type = rr_type::a;
    const question* asked = nullptr;  ///< lives as long as the lookup
    std::shared_ptr<const answer> what;
  };
  /// Exactly one action. Repeat until it is wait or done.
  action next();

  /// @param expires when the answer stops being true
  void on_answer(const question& q, std::shared_ptr<const answer> what, time_point expires);

  /// The types that will be reported, in the order of the request.
  const std::vector<rr_type>& types() const noexcept { return request_.types; }

  /// Questions asked and not answered.
  std::vector<question> pending() const;
  /// The questions about the current name.
  std::vector<question> asked() const;
  /// Whether an answer of this type may still come.
  bool is_pending(rr_type type) const noexcept;
  /// The records of this type; null where there are none, or not yet.
  const answer* found(rr_type type) const noexcept;

  /// Where the answer came from without a query; empty when queries are needed.
  const std::vector<query_record>& at_hand() const noexcept { return at_hand_; }

  /// The name under which it was found, or the last one tried; the root for an IP address.
  const name& current_name() const noexcept { return names_[position_]; }
  /// As people write it.
  std::string current_text() const;
  /// The end of the CNAME chain, where one answered.
  const name& canonical_name() const noexcept;
  /// When the first of the answers stops being true.
  time_point expires() const noexcept;
  /// When the answer about `type` stops being true; never: it was at hand, or is not there.
  time_point expires(rr_type type) const noexcept;
  /// Whether everything found was validated by DNSSEC.
  bool is_authenticated() const noexcept;
  /// One sentence for each address that was left out, since the last call.
  std::vector<std::string> take_notes() { return std::exchange(notes_, {}); }
  /// Why nothing was found, once done.
  error failure() const;

 private:
  struct slot {
    question asked;
    rr_type type = rr_type::a;
    bool sent = false;
    bool reported = false;
    std::shared_ptr<const answer> got;
    time_point expires = never;
  };

  std::shared_ptr<const answer> without_private(std::shared_ptr<const answer> what);
  bool answer_at_hand();
  void answer_from(const std::vector<address>& addresses, const name& canonical, query_record::source from,
                   const char* detail);
  void answer_with(slot& s, answer a, query_record::source from, const char* detail);
  void begin_only(const name& n);
  void begin_name();
  bool found_any() const;
  bool may_be_followed() const noexcept { return position_ + 1 < names_.size(); }
  bool is_settled() const;
  bool should_try_next_name() const;

  lookup_request request_;
  std::shared_ptr<const system_settings> system_;
  std::vector<name> names_;
  std::size_t position_ = 0;
  std::vector<slot> slots_;
  std::vector<query_record> at_hand_;
  std::string at_hand_why_;
  std::string left_out_;  // of the current name
  std::vector<std::string> notes_;
};

}  // namespace lbresolve::core
