#include "io/fork.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

namespace lbresolve::io {

std::atomic<std::uint64_t> detail::fork_generation{0};

/// All shelters of the process. Never destroyed: threads may still end while the process does.
struct fork_registry {
  static fork_registry& get() {
    static fork_registry& all = *new fork_registry;
    return all;
  }

  void before() {
    mutex.lock();
    const auto until = std::chrono::steady_clock::now() + fork_shelter::patience;
    held.reserve(shelters.size());
    for (fork_shelter* s : shelters)
      if (enter(*s, until)) held.push_back(s);
  }
  void after_in_parent() {
    for (fork_shelter* s : held) s->mutex_.unlock();
    held.clear();
    mutex.unlock();
  }
  // The mutexes of the shelters stay locked: they are the parent's, as all that is in them.
  void after_in_child() {
    detail::fork_generation.fetch_add(1, std::memory_order_relaxed);
    for (fork_shelter* s : held)
      if (s->in_child_) s->in_child_();
    held.clear();
    shelters.clear();
    mutex.unlock();
  }

  // Tries again and again: what waits for a time is not known to ThreadSanitizer, and this is no place to be quick.
  static bool enter(fork_shelter& s, std::chrono::steady_clock::time_point until) {
    if (s.holder_.load(std::memory_order_relaxed) == std::this_thread::get_id()) return false;  // forks in a hook
    while (!s.mutex_.try_lock()) {
      if (std::chrono::steady_clock::now() >= until) return false;
      std::this_thread::sleep_for(std::chrono::microseconds{50});
    }
    return true;
  }

  std::mutex mutex;  // guards the rest
  std::vector<fork_shelter*> shelters;
  std::vector<fork_shelter*> held;  // between the two halves of a fork
};

namespace {

// As the library is loaded: nobody has a resolver that a fork could miss.
[[maybe_unused]] const int registered =
    ::pthread_atfork([] { fork_registry::get().before(); }, [] { fork_registry::get().after_in_parent(); },
                     [] { fork_registry::get().after_in_child(); });

}  // namespace

fork_shelter::fork_shelter(std::function<void()> in_child) : in_child_(std::move(in_child)) {
  fork_registry& all = fork_registry::get();
  const std::lock_guard lock(all.mutex);
  all.shelters.push_back(this);
}

fork_shelter::~fork_shelter() {
  fork_registry& all = fork_registry::get();
  const std::lock_guard lock(all.mutex);
  std::erase(all.shelters, this);
}

struct fork_shelter::of_this_thread::shelter {
  birthplace born;
  fork_shelter inside;
  int depth = 0;
};

namespace {

thread_local bool thread_ends = false;  // trivial, so that what is destroyed later may still ask

}  // namespace

// Made anew in a child, whose parent may hold the old one.
fork_shelter::of_this_thread::shelter* fork_shelter::of_this_thread::mine() {
  struct last_of_thread {
    std::optional<shelter> own;
    ~last_of_thread() { thread_ends = true; }
  };
  if (thread_ends) return nullptr;
  thread_local last_of_thread here;
  if (!here.own || here.own->born.is_inherited()) here.own.emplace();
  return &*here.own;
}

fork_shelter::of_this_thread::of_this_thread() : own_(mine()) { enter(); }
fork_shelter::of_this_thread::~of_this_thread() { leave(); }

void fork_shelter::of_this_thread::enter() {
  if (own_ != nullptr && own_->depth++ == 0 && !own_->born.is_inherited()) own_->inside.lock();
}

void fork_shelter::of_this_thread::leave() {
  if (own_ != nullptr && --own_->depth == 0) own_->inside.unlock();
}

void fork_shelter::of_this_thread::call_outside(const std::function<void()>& f) {
  shelter* const own = mine();
  if (own == nullptr || own->depth == 0) return f();
  own->inside.unlock();
  f();
  if (!own->born.is_inherited()) own->inside.lock();
}

}  // namespace lbresolve::io
