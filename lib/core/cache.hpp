// Answers, kept as long as they are true: bounded in bytes, evicted by SIEVE.
#pragma once

#include "core/answer.hpp"
#include "core/question.hpp"
#include "core/time.hpp"

#include <lbresolve/options.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace lbresolve::core {

/// Answers by question.
///
/// What is kept, and how long: positive answers for their TTL within `min_ttl` and `max_ttl`; NXDOMAIN and NODATA for
/// their negative TTL (RFC 2308 section 5), at most `max_negative_ttl`; failures for `failure_ttl`, doubled by each
/// further failure in a row up to `max_failure_ttl` (RFC 9520 section 3.2). Caps win over the floor. An answer with TTL
/// 0 or without `cacheable` is not kept, whatever the floor says; failures are kept whatever these two say. A failure
/// never takes the place of an answer that is still true.
///
/// Time is an argument, and an answer's end is fixed when it is stored: nothing extends it.
///
/// Serve-stale (RFC 8767): positive answers stay `stale_window` longer, for those who ask for them. A newer answer of
/// any kind but a failure takes their place, and an NXDOMAIN that of all types of its name. Failures lie beside them
/// and extend nothing.
///
/// Prefetch: the first hit in the last part of a positive answer's life says that it is worth asking again. That part
/// begins when a tenth to a twentieth of the TTL is left, by a hash of the entry, so that answers which came together
/// are not asked for together again. Without a hit nothing happens: an idle name just ends.
///
/// Eviction is SIEVE (Zhang and others, NSDI 2024): one queue in order of arrival, one bit per entry that a hit sets,
/// and a hand that moves from old to new, taking the first entry without the bit and clearing the bits it passes.
/// Against LRU a hit moves nothing, so it writes one byte and no links; against S3-FIFO there is no second queue and no
/// list of ghosts to account for. What is asked for once goes when the hand reaches it, and what is asked for again
/// lies behind the hand, so a scan over millions of names leaves the names in use where they are.
///
/// Thread-safety: one thread at a time.
class cache {
 public:
  /// @param hash_seed secret: names that collide cannot be found without it. The hash is SipHash-1-3.
  explicit cache(const lbresolve::cache_options& settings, std::uint64_t hash_seed = 0);
  ~cache();
  cache(const cache&) = delete;
  cache& operator=(const cache&) = delete;

  struct hit {
    std::shared_ptr<const answer> what;
    time_point expires;    ///< the first moment at which it is no longer true
    bool stale = false;    ///< that moment is past
    bool refresh = false;  ///< worth asking again now: of a stale answer, or said once in the life of a fresh one
  };

  /// What is known at `now`; an NXDOMAIN learned for the name under another type counts (RFC 2308 section 5), where
  /// fresh is known for this type. Marks it as used. Does not allocate.
  /// @param stale_too takes an answer past its time, inside its window, over a failure and over nothing. Its `refresh`
  /// says whether asking again is due: not while a failure is remembered, nor within `stale_recheck` of
  /// on_stale_used().
  std::optional<hit> find(const question& q, time_point now, bool stale_too = false);

  /// A stale answer to `q` had to be used, as no new one came in time: asking again can wait (RFC 8767 section 5, the
  /// failure recheck timer).
  void on_stale_used(const question& q, time_point now);

  /// Takes an answer in; one that is not to be kept at least ends what it contradicts. An NXDOMAIN at the end of a
  /// CNAME chain belongs to the end of the chain, for all types; for `q` itself only this type is known. Where
  /// addresses of the same name are known, an NXDOMAIN holds for its own type alone: some servers answer AAAA so (RFC
  /// 4074 section 4.2).
  void store(const question& q, std::shared_ptr<const answer> what, time_point now);

  /// Forgets failures and how many there were in a row: on a change of network they say nothing any more.
  void forget_failures();

  /// All addresses of the answer to `q` failed: it stops being used before its time, at most once in `ask_again_every`
  /// per question. True: it did, and asking again is worth it. False: too soon, or there is no such answer.
  bool ask_again(const question& q, time_point now);
  static constexpr std::chrono::seconds ask_again_every{5};

  void clear() noexcept;

  /// What it occupies: keys, entries, answers with all they hold, and the table. Never over `max_bytes`. An answer that
  /// two entries share counts twice.
  std::size_t bytes() const noexcept { return bytes_; }

  /// Entries, those past their time included until they are evicted.
  std::size_t size() const noexcept { return count_; }

 private:
  struct entry;
  /// A lookup that hits waits for memory thrice: for the slot, for the entry, and for the answer, whose count of users
  /// goes up. The slot knows where the answer lies too, so that the last two are waited for together.
  struct slot {
    std::uint32_t hash = 0;      ///< the low half: enough for the place, and nearly always to tell names apart
    std::int32_t answer_at = 0;  ///< from the entry, in units of 16 octets; only a hint, so what does not fit is cut
    entry* at = nullptr;
  };
  /// A name in lower case with its hash, on the stack.
  struct key {
    std::array<std::uint64_t, 32> words;  ///< the last one that counts is filled up with zeros
    std::size_t size = 0;                 ///< octets
    std::uint64_t name_hash = 0;
  };

  key key_of(const name& n) const noexcept;
  static std::uint32_t slot_hash(const key& k, std::uint32_t scope) noexcept;
  entry* look_up(const key& k, std::uint32_t scope) const noexcept;
  bool is_stale(const entry& e, time_point now) const noexcept;
  void forget(const key& k, std::uint32_t scope) noexcept;
  bool has_fresh_address(const key& k, time_point now) const noexcept;
  std::chrono::seconds lifetime(const answer& a, std::uint32_t ttl) const noexcept;
  std::chrono::seconds failure_lifetime(unsigned failures) const noexcept;

  void store_failure(const key& k, const question& q, std::shared_ptr<const answer> what, time_point now);
  void store_nxdomain(const key& k, rr_type asked, std::shared_ptr<const answer> what, std::uint32_t ttl,
                      time_point now);
  void narrow_nxdomain(const key& k, rr_type to_spare, time_point now);
  time_point prefetch_from(const entry& e, duration life) const noexcept;
  entry* put(const key& k, std::uint32_t scope, std::shared_ptr<const answer> what, time_point expires, time_point now);
  void evict(const entry* keep, time_point now) noexcept;
  void grow_table();
  void insert_slot(slot s) noexcept;
  slot& slot_of(const entry* e) noexcept;
  void erase_slot(const entry* e) noexcept;
  void remove(entry* e) noexcept;

  lbresolve::cache_options settings_;
  std::array<std::uint64_t, 2> hash_key_;
  std::vector<slot> slots_;  ///< open addressing, linear probing; empty, or a power of two in size
  entry* newest_ = nullptr;
  entry* oldest_ = nullptr;
  entry* hand_ = nullptr;  ///< where SIEVE looks next; null: at the oldest
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace lbresolve::core
