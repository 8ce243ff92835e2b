#include "core/cache.hpp"

#include "core/ascii.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <string>
#include <utility>

namespace lbresolve::core {
namespace {

/// The scope of an entry is the type it answers for, or this: an NXDOMAIN, which answers for all of them.
constexpr std::uint32_t all_types = std::uint32_t{1} << 16;

constexpr std::uint32_t scope_of(rr_type t) noexcept { return static_cast<std::uint32_t>(t); }

/// Failures have scopes of their own, so that they can lie beside an answer past its time.
constexpr std::uint32_t failure_scope(rr_type t) noexcept { return scope_of(t) | std::uint32_t{1} << 17; }

/// So that adding a lifetime to a time point cannot overflow: 68 years, and RFC 2181 section 8 has no longer TTL.
constexpr std::chrono::seconds longest{INT32_MAX};

time_point end_of(time_point now, std::chrono::seconds lifetime) noexcept {
  return now > never - lifetime ? never : now + lifetime;
}

/// What malloc takes for `size` bytes: a word in front, multiples of 16, at least 32 (glibc and musl are close).
constexpr std::size_t heap_bytes(std::size_t size) noexcept {
  return size == 0 ? 0 : std::max<std::size_t>(32, (size + 8 + 15) / 16 * 16);
}

std::size_t heap_bytes(const std::string& s) noexcept {
  constexpr std::size_t inline_capacity = 15;
  return s.capacity() <= inline_capacity ? 0 : heap_bytes(s.capacity() + 1);
}

std::size_t heap_bytes(const name& n) noexcept {
  constexpr std::size_t inline_capacity = 15;
  const std::size_t size = n.wire().size();
  return size <= inline_capacity ? 0 : heap_bytes(size + 1);
}

template <class T>
std::size_t array_bytes(const std::vector<T>& v) noexcept {
  return heap_bytes(v.capacity() * sizeof(T));
}

std::size_t heap_bytes(const answer& a) noexcept {
  constexpr std::size_t shared_counts = 16;
  std::size_t sum = heap_bytes(sizeof(answer) + shared_counts) + heap_bytes(a.canonical) + heap_bytes(a.why);
  sum += array_bytes(a.addresses) + array_bytes(a.services) + array_bytes(a.bindings);
  for (const srv_record& s : a.services) sum += heap_bytes(s.target);
  for (const service_binding& b : a.bindings) {
    sum += heap_bytes(b.target) + array_bytes(b.alpn) + array_bytes(b.hints);
    for (const std::string& protocol : b.alpn) sum += heap_bytes(protocol);
  }
  return a.ede ? sum + heap_bytes(a.ede->text) : sum;
}

struct sip_state {
  std::uint64_t a, b, c, d;

  void round() noexcept {
    a += b;
    c += d;
    b = std::rotl(b, 13) ^ a;
    d = std::rotl(d, 16) ^ c;
    a = std::rotl(a, 32);
    c += b;
    a += d;
    b = std::rotl(b, 17) ^ c;
    d = std::rotl(d, 21) ^ a;
    c = std::rotl(c, 32);
  }

  void add(std::uint64_t word) noexcept {
    d ^= word;
    round();
    a ^= word;
  }
};

/// SipHash-1-3 (Aumasson and Bernstein 2012), but for where the length goes: first, so that the last word may be
/// filled up with zeros.
std::uint64_t sip_hash(const std::array<std::uint64_t, 2>& key, const std::uint64_t* words,
                       std::size_t octets) noexcept {
  sip_state s{key[0] ^ 0x736F6D6570736575U, key[1] ^ 0x646F72616E646F6DU, key[0] ^ 0x6C7967656E657261U,
              key[1] ^ 0x7465646279746573U};
  s.add(octets);
  for (std::size_t i = 0; i * sizeof(std::uint64_t) < octets; ++i) s.add(words[i]);
  s.c ^= 0xFF;
  s.round();
  s.round();
  s.round();
  return s.a ^ s.b ^ s.c ^ s.d;
}

constexpr std::size_t first_table_size = 16;

/// Asks for the cache line at `octets` from `p`. Never faults, wherever that is.
inline void fetch_ahead(const void* p, std::ptrdiff_t octets) noexcept {
  // By way of a number: no pointer may point there, and nothing is ever read through this one.
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::intptr_t>(p) + octets));
}

constexpr std::ptrdiff_t line = 64;

}  // namespace

/// One allocation: the octets of the name follow it.
struct cache::entry {
  // What a hit does not touch, and after it what it does: that lies together with the key.
  entry* newer = nullptr;
  entry* older = nullptr;
  std::size_t cost = 0;
  time_point ask_again_from = time_point::min();
  std::shared_ptr<const answer> what;
  time_point expires;
  time_point refresh_from;  ///< asking again is worth it from here on
  std::uint32_t hash = 0;
  std::uint32_t scope = 0;
  rr_type asked{};  ///< what the answer was to; differs from `scope` for an NXDOMAIN
  std::uint8_t key_size = 0;
  std::uint8_t failures = 0;  ///< in a row
  bool visited = false;

  const std::uint8_t* key_octets() const noexcept { return reinterpret_cast<const std::uint8_t*>(this + 1); }

  static entry* make(const key& k) {
    void* const place = ::operator new(sizeof(entry) + k.size);
    auto* const e = new (place) entry;
    e->key_size = static_cast<std::uint8_t>(k.size);
    std::memcpy(static_cast<std::uint8_t*>(place) + sizeof(entry), k.words.data(), k.size);
    return e;
  }

  static void destroy(entry* e) noexcept {
    e->~entry();
    ::operator delete(e);
  }

  bool is_fresh(time_point now) const noexcept { return now < expires; }

  bool matches(const key& k, std::uint32_t wanted) const noexcept {
    return scope == wanted && key_size == k.size && std::memcmp(key_octets(), k.words.data(), k.size) == 0;
  }
};

cache::cache(const lbresolve::cache_options& settings, std::uint64_t hash_seed)
    : settings_(settings), hash_key_{hash_seed, std::rotl(hash_seed, 32) * 0x9E3779B97F4A7C15U + 1} {
  for (auto* const time : {&settings_.max_ttl, &settings_.min_ttl, &settings_.max_negative_ttl, &settings_.failure_ttl,
                           &settings_.max_failure_ttl, &settings_.stale_window, &settings_.stale_recheck}) {
    *time = std::clamp(*time, std::chrono::seconds{0}, longest);
  }
}

cache::~cache() { clear(); }

cache::key cache::key_of(const name& n) const noexcept {
  key k;
  const auto wire = n.wire();
  k.size = std::min(wire.size(), sizeof k.words - 1);
  const std::size_t last = k.size / sizeof(std::uint64_t);
  k.words[last] = 0;
  std::memcpy(k.words.data(), wire.data(), k.size);
  // A length octet is at most 63 and so never looks like a letter.
  for (std::size_t i = 0; i <= last; ++i) k.words[i] = ascii_lower(k.words[i]);
  k.name_hash = sip_hash(hash_key_, k.words.data(), k.size);
  return k;
}

std::uint32_t cache::slot_hash(const key& k, std::uint32_t scope) noexcept {
  return static_cast<std::uint32_t>(k.name_hash ^ scope * 0x9E3779B97F4A7C15U);
}

cache::entry* cache::look_up(const key& k, std::uint32_t scope) const noexcept {
  if (slots_.empty()) return nullptr;
  const std::uint32_t hash = slot_hash(k, scope);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask; slots_[at].at != nullptr; at = (at + 1) & mask) {
    const slot& s = slots_[at];
    if (s.hash != hash) continue;
    const std::ptrdiff_t answer_at = std::ptrdiff_t{s.answer_at} * 16;
    fetch_ahead(s.at, static_cast<std::ptrdiff_t>(sizeof(entry) + k.size - 1));
    fetch_ahead(s.at, answer_at);
    fetch_ahead(s.at, answer_at + line);
    if (s.at->matches(k, scope)) return s.at;
  }
  return nullptr;
}

bool cache::is_stale(const entry& e, time_point now) const noexcept {
  return !e.is_fresh(now) && now < end_of(e.expires, settings_.stale_window) && e.what->is == answer::kind::positive;
}

std::optional<cache::hit> cache::find(const question& q, time_point now, bool stale_too) {
  const auto use = [](entry& e) {
    if (!e.visited) e.visited = true;  // a line that is only read stays with all processors
    return hit{.what = e.what, .expires = e.expires};
  };
  const key k = key_of(q.name);
  entry* const own = look_up(k, scope_of(q.type));
  if (own != nullptr && own->is_fresh(now)) {
    hit h = use(*own);
    h.refresh = now >= own->refresh_from;
    if (h.refresh) own->refresh_from = own->expires;
    return h;
  }
  if (entry* const missing = look_up(k, all_types); missing != nullptr && missing->is_fresh(now)) return use(*missing);
  entry* const failed = look_up(k, failure_scope(q.type));
  const bool is_failing = failed != nullptr && failed->is_fresh(now);
  if (stale_too && own != nullptr && is_stale(*own, now)) {
    hit h = use(*own);
    h.stale = true;
    h.refresh = !is_failing && now >= own->refresh_from;
    return h;
  }
  return is_failing ? std::optional(use(*failed)) : std::nullopt;
}

void cache::on_stale_used(const question& q, time_point now) {
  entry* const e = look_up(key_of(q.name), scope_of(q.type));
  if (e != nullptr && is_stale(*e, now)) e->refresh_from = end_of(now, settings_.stale_recheck);
}

std::chrono::seconds cache::lifetime(const answer& a, std::uint32_t ttl) const noexcept {
  if (!a.cacheable || ttl == 0) return std::chrono::seconds{0};
  const bool is_positive = a.is == answer::kind::positive;
  const auto cap = is_positive ? settings_.max_ttl : std::min(settings_.max_ttl, settings_.max_negative_ttl);
  return std::min(std::max(std::chrono::seconds{ttl}, settings_.min_ttl), cap);
}

std::chrono::seconds cache::failure_lifetime(unsigned failures) const noexcept {
  const auto cap = settings_.max_failure_ttl;
  auto lifetime = std::min(settings_.failure_ttl, cap);
  for (unsigned n = 1; n < failures && lifetime < cap; ++n) lifetime = std::min(lifetime * 2, cap);
  return lifetime;
}

void cache::store(const question& q, std::shared_ptr<const answer> what, time_point now) {
  if (!what) return;
  const key k = key_of(q.name);
  if (what->is == answer::kind::failure) return store_failure(k, q, std::move(what), now);

  if (what->is == answer::kind::nxdomain) {
    const bool at_end = what->canonical == q.name;
    store_nxdomain(at_end ? k : key_of(what->canonical), q.type, what, at_end ? what->ttl : what->end_ttl, now);
    if (at_end) return;
  }
  narrow_nxdomain(k, q.type, now);  // the name exists, be it only as an alias
  forget(k, failure_scope(q.type));
  const auto alive = lifetime(*what, what->ttl);
  if (alive > std::chrono::seconds{0}) {
    put(k, scope_of(q.type), std::move(what), end_of(now, alive), now);
  } else {
    forget(k, scope_of(q.type));
  }
}

void cache::forget(const key& k, std::uint32_t scope) noexcept {
  if (entry* const e = look_up(k, scope)) remove(e);
}

void cache::store_failure(const key& k, const question& q, std::shared_ptr<const answer> what, time_point now) {
  const entry* const missing = look_up(k, all_types);
  if (missing != nullptr && missing->is_fresh(now)) return;
  if (entry* const known = look_up(k, scope_of(q.type))) {
    if (known->is_fresh(now)) return;
    if (is_stale(*known, now)) {
      known->refresh_from = std::max(known->refresh_from, end_of(now, settings_.stale_recheck));
    } else {
      remove(known);
    }
  }
  unsigned failures = 1;
  // After a silence as long as the longest wait, it is a new failure and no longer the old one.
  const entry* const last = look_up(k, failure_scope(q.type));
  if (last != nullptr && now < end_of(last->expires, settings_.max_failure_ttl)) {
    failures = std::min(last->failures + 1U, 255U);
  }
  const auto alive = failure_lifetime(failures);
  if (alive <= std::chrono::seconds{0}) return;
  if (entry* const e = put(k, failure_scope(q.type), std::move(what), end_of(now, alive), now)) {
    e->failures = static_cast<std::uint8_t>(failures);
  }
}

bool cache::has_fresh_address(const key& k, time_point now) const noexcept {
  return std::ranges::any_of(std::array{rr_type::a, rr_type::aaaa}, [&](rr_type t) {
    const entry* const e = look_up(k, scope_of(t));
    return e != nullptr && e->is_fresh(now) && e->what->is == answer::kind::positive;
  });
}

void cache::store_nxdomain(const key& k, rr_type asked, std::shared_ptr<const answer> what, std::uint32_t ttl,
                           time_point now) {
  forget(k, scope_of(asked));
  forget(k, failure_scope(asked));
  const std::uint32_t scope = has_fresh_address(k, now) ? scope_of(asked) : all_types;
  if (scope == all_types) {  // nor may what is stale come back once the NXDOMAIN is over
    for (const rr_type t : {rr_type::a, rr_type::aaaa, rr_type::srv, rr_type::svcb, rr_type::https}) {
      entry* const e = look_up(k, scope_of(t));
      if (e != nullptr && !e->is_fresh(now)) remove(e);
    }
  }
  const auto alive = lifetime(*what, ttl);
  if (alive <= std::chrono::seconds{0}) return;
  if (entry* const e = put(k, scope, std::move(what), end_of(now, alive), now)) e->asked = asked;
}

/// The name turned out to exist for the type `to_spare`: an NXDOMAIN that is known for it shrinks to the type it was
/// the answer to.
void cache::narrow_nxdomain(const key& k, rr_type to_spare, time_point now) {
  entry* const e = look_up(k, all_types);
  if (e == nullptr) return;
  const auto what = e->what;
  const auto expires = e->expires;
  const auto asked = e->asked;
  remove(e);
  if (asked != to_spare && now < expires) put(k, scope_of(asked), what, expires, now);
}

time_point cache::prefetch_from(const entry& e, duration life) const noexcept {
  if (!settings_.prefetch || life < settings_.prefetch_min_ttl || e.what->is != answer::kind::positive)
    return e.expires;
  constexpr std::uint64_t steps = 4'096;
  const auto when = static_cast<std::uint64_t>(e.expires.time_since_epoch().count());
  const std::uint64_t jitter = (e.hash ^ when) * 0x9E3779B97F4A7C15U >> 32 & (steps - 1);
  return e.expires - life / 10 + life / 20 / static_cast<std::int64_t>(steps) * static_cast<std::int64_t>(jitter);
}

cache::entry* cache::put(const key& k, std::uint32_t scope, std::shared_ptr<const answer> what, time_point expires,
                         time_point now) {
  const std::size_t cost = heap_bytes(sizeof(entry) + k.size) + heap_bytes(*what);
  entry* e = look_up(k, scope);
  if (e == nullptr) {
    if (cost + std::max(slots_.size(), first_table_size) * sizeof(slot) > settings_.max_bytes) return nullptr;
    if ((count_ + 1) * 4 > slots_.size() * 3) grow_table();
    e = entry::make(k);
    e->hash = slot_hash(k, scope);
    e->scope = scope;
    e->older = newest_;
    (newest_ != nullptr ? newest_->newer : oldest_) = e;
    newest_ = e;
    insert_slot({.hash = e->hash, .at = e});
    ++count_;
  }
  bytes_ += cost - e->cost;
  e->cost = cost;
  e->what = std::move(what);
  // Its count of users lies in front of it, where make_shared puts it.
  const auto distance = reinterpret_cast<std::intptr_t>(e->what.get()) - reinterpret_cast<std::intptr_t>(e);
  slot_of(e).answer_at = static_cast<std::int32_t>(distance / 16 - 1);
  e->expires = expires;
  e->refresh_from = prefetch_from(*e, expires - now);
  e->failures = 0;
  evict(e, now);
  if (bytes_ <= settings_.max_bytes) return e;
  remove(e);
  return nullptr;
}

/// SIEVE, until the bytes fit. What is past its time goes whether it was used or not. At most two rounds: the first
/// clears what the second takes.
void cache::evict(const entry* keep, time_point now) noexcept {
  while (bytes_ > settings_.max_bytes && count_ > 1) {
    entry* const e = hand_ != nullptr ? hand_ : oldest_;
    hand_ = e->newer;
    if (e == keep) continue;
    if (std::exchange(e->visited, false) && e->is_fresh(now)) continue;
    remove(e);
  }
}

void cache::grow_table() {
  std::vector<slot> old(std::max(slots_.size() * 2, first_table_size));
  bytes_ += (old.size() - slots_.size()) * sizeof(slot);
  slots_.swap(old);
  for (const slot& s : old) {
    if (s.at != nullptr) insert_slot(s);
  }
}

void cache::insert_slot(slot s) noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = s.hash & mask;
  while (slots_[at].at != nullptr) at = (at + 1) & mask;
  slots_[at] = s;
}

cache::slot& cache::slot_of(const entry* e) noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = e->hash & mask;
  while (slots_[at].at != e) at = (at + 1) & mask;
  return slots_[at];
}

/// Closes the gap by moving back what a probe would no longer reach, so that no tombstones remain.
void cache::erase_slot(const entry* e) noexcept {
  const std::size_t mask = slots_.size() - 1;
  auto gap = static_cast<std::size_t>(&slot_of(e) - slots_.data());
  for (std::size_t at = (gap + 1) & mask; slots_[at].at != nullptr; at = (at + 1) & mask) {
    const std::size_t home = slots_[at].hash & mask;
    if (((at - home) & mask) < ((at - gap) & mask)) continue;
    slots_[gap] = slots_[at];
    gap = at;
  }
  slots_[gap] = {};
}

void cache::remove(entry* e) noexcept {
  erase_slot(e);
  if (hand_ == e) hand_ = e->newer;
  (e->newer != nullptr ? e->newer->older : newest_) = e->older;
  (e->older != nullptr ? e->older->newer : oldest_) = e->newer;
  bytes_ -= e->cost;
  --count_;
  entry::destroy(e);
}

void cache::forget_failures() {
  for (entry* e = oldest_; e != nullptr;) {
    entry* const next = e->newer;
    if (e->failures > 0) remove(e);
    e = next;
  }
}

bool cache::ask_again(const question& q, time_point now) {
  entry* const e = look_up(key_of(q.name), scope_of(q.type));
  if (e == nullptr || !e->is_fresh(now) || now < e->ask_again_from) return false;
  e->expires = e->refresh_from = now;
  e->ask_again_from = end_of(now, ask_again_every);
  return true;
}

void cache::clear() noexcept {
  while (oldest_ != nullptr) {
    entry* const e = oldest_;
    oldest_ = e->newer;
    entry::destroy(e);
  }
  slots_ = {};
  newest_ = hand_ = nullptr;
  count_ = bytes_ = 0;
}

}  // namespace lbresolve::core
