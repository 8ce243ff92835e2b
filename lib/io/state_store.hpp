// Health memory that outlives the process: a file that many processes share, written by a thread of its own.
#pragma once

#include "core/remembered.hpp"
#include "core/time.hpp"
#include "io/fork.hpp"

#include <lbresolve/error.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lbresolve::io {

/// Thread-safe. Only the store's own thread touches the disk; it starts at the first need and sleeps while there is
/// nothing to do.
///
/// Whatever is wrong with the file (damaged, cut off, of another version, unreadable, read-only, on a full disk) means
/// "nothing is remembered", or "what is learned is not kept", and a warning. A damaged file is renamed to NAME.damaged;
/// one of a newer version, of another program or of another user is left as it is. Nothing in the file is believed:
/// core/remembered_row.hpp says what passes.
///
/// What was put is in the file a second later at most; being killed at any moment loses no more and damages nothing.
///
/// In a forked child the parent's store does nothing; the child opens its own. fork() waits until the file is not in
/// use (fork_shelter); where the disk takes longer than that, the child's SQLite library is locked for good, and its
/// store does nothing either, and warns.
class state_store {
 public:
  struct timing {
    core::duration flush_every = std::chrono::seconds{1};   ///< writes are at least so far apart
    core::duration retry_after = std::chrono::seconds{30};  ///< after one that failed
    core::duration load_patience = std::chrono::milliseconds{500};
    core::duration close_patience = std::chrono::milliseconds{500};
  };

  using rows = std::vector<core::remembered>;
  using wall_time = std::chrono::system_clock::time_point;

  /// Does not touch the disk. Fails with errc::unsupported in a build without SQLite, errc::invalid_option for an empty
  /// path, and for nothing else.
  /// @param path directories that are missing are made (mode 0700) when there is something to write, the file too
  ///        (mode 0600). Give it a directory that only its user can write.
  static result<std::unique_ptr<state_store>> open(std::string path, timing when);
  static result<std::unique_ptr<state_store>> open(std::string path) { return open(std::move(path), timing{}); }

  /// Writes what is left, for close_patience at most; a disk that takes longer is left to the thread, which ends alone.
  ~state_store();
  state_store(const state_store&) = delete;
  state_store& operator=(const state_store&) = delete;

  /// What is known of a network: not older than an hour, newest first, 64 k rows at most; what was put before is
  /// included. Waits for the disk, for load_patience at most; then there are no rows and a warning.
  rows load(std::uint64_t network, wall_time now);

  /// The same, told to `done` on the store's thread, or inside this call where there is no such thread. `done` must not
  /// throw and must not destroy the store; it is not called after the store has been destroyed.
  void load(std::uint64_t network, wall_time now, std::function<void(rows)> done);

  /// Queues; returns at once. Of one endpoint in one network the newest `seen` wins, here and against other processes.
  /// An address with a scope and port 0 are not kept.
  void put(std::span<const core::remembered> some);

  /// Forgets everything, the file's rows of all networks and what is queued. Queued itself: flush() waits for it.
  void clear();

  /// Waits until all that was put before is in the file. False where that failed (take_warnings() says why) or took
  /// longer than `patience`.
  bool flush(core::duration patience);

  /// Sentences for the trace, each given once in the life of the store.
  std::vector<std::string> take_warnings();

 private:
  struct shared;
  struct worker;

  state_store(std::string path, timing when);
  bool is_inherited() const noexcept;

  birthplace born_;
  std::unique_ptr<worker> worker_;
};

}  // namespace lbresolve::io
