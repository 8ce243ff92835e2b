// Where the state file lies: looked at before anything reads it, made with care, moved out of the way when damaged.
#pragma once

#include "io/socket.hpp"

#include <lbresolve/error.hpp>

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

namespace lbresolve::io {

/// What the header of a state file says.
struct state_format {
  static constexpr std::uint32_t application_id = 0x6C627273;  ///< "lbrs"
  static constexpr std::uint32_t version = 1;
};

/// One use of the state file. While one exists no other part of this process uses any state file, and no other process
/// moves this one away.
///
/// Two facts shape this. POSIX locks, which SQLite relies on, are dropped when any descriptor of the file is closed:
/// hence one use at a time in a process. And a database must not be renamed while somebody writes to it, or its
/// journal would be played into the file that takes its place: hence a shared flock(2) on the directory for each use,
/// and an exclusive one for the renaming. A lock dies with its process.
class state_place {
 public:
  enum class found : std::uint8_t {
    nothing,  ///< there is no file
    empty,    ///< no bytes in it yet
    ours,     ///< begins as a file of this version does
    foreign,  ///< somebody else's, or unreadable: to be left as it is
    damaged,  ///< to be moved aside
  };

  struct verdict {
    found is = found::nothing;
    std::string why;  ///< for foreign and damaged: "is a symbolic link"
    dev_t device = 0;
    ino_t inode = 0;
  };

  /// Waits for its turn. Fails with the errno of what went wrong: ENOENT where there is no directory (and none was to
  /// be made), EAGAIN where another process is moving the file, ECANCELED in a child forked during a use.
  /// @param make_directory makes what is missing of the way there, mode 0700
  static result<state_place> enter(const std::string& path, bool make_directory);
  state_place(state_place&&) noexcept = default;
  state_place& operator=(state_place&&) = delete;
  ~state_place();

  /// The file without any symbolic link in its way.
  const std::string& path() const noexcept { return path_; }

  /// Judges the file by its kind, owner, size and first 100 octets.
  verdict look() const;

  /// Makes an empty file, mode 0600; one that is there already is left alone.
  std::error_code create() const;

  /// Renames the file and its journal to NAME.damaged, NAME.damaged-journal, over what was there. Does nothing where
  /// another process has replaced the file that `judged` is about.
  std::error_code move_aside(const verdict& judged) const;

 private:
  /// This process's turn; ends last.
  class turn {
   public:
    turn() noexcept = default;
    turn(turn&& other) noexcept : mine_(std::exchange(other.mine_, false)) {}
    turn& operator=(turn&&) = delete;
    ~turn();
    /// Waits; false where it can never come.
    bool take() noexcept;

   private:
    bool mine_ = false;
  };

  state_place(turn mine, unique_fd directory, std::string path);
  std::string name() const;

  turn mine_;
  unique_fd directory_;
  std::string path_;
};

}  // namespace lbresolve::io
