// An operation on the calling thread, as far as it needs no query.
#pragma once

#include "core/answer_store.hpp"
#include "core/operation.hpp"
#include "io/socket_attempt.hpp"

#include <lbresolve/options.hpp>

#include <atomic>
#include <vector>

namespace lbresolve::io {

/// How far it came.
struct local_outcome {
  bool done = false;        ///< false: it needs an upstream; nothing is open, start it on an engine as it is
  connected_socket winner;  ///< where it was won
  std::vector<core::question> refresh;  ///< worth asking again in the background, whether it is done or not
};

/// Runs `work` with what the cache has, waiting in poll(2): no hop to another thread, no descriptor but the attempts'.
/// @param stop ends it as cancelled within 50 ms once set. @param interrupted likewise, once it says so; may be empty
local_outcome run_here(core::operation& work, const connector_settings& settings, core::answer_store& answers,
                       core::random_source& random, const std::atomic<bool>& stop, const interruption& interrupted);

}  // namespace lbresolve::io
