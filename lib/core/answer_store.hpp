// What an engine needs of a cache. The cache itself is shared with paths that need no engine, so locking is theirs.
#pragma once

#include "core/cache.hpp"

#include <memory>
#include <optional>

namespace lbresolve::core {

/// See core::cache for what each does.
class answer_store {
 public:
  virtual std::optional<cache::hit> find(const question& q, time_point now, bool stale_too) = 0;
  virtual void store(const question& q, std::shared_ptr<const answer> what, time_point now) = 0;
  virtual void ask_again(const question& q, time_point now) = 0;
  virtual void on_stale_used(const question& q, time_point now) = 0;

 protected:
  ~answer_store() = default;
};

}  // namespace lbresolve::core
