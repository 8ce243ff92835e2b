// The state file as a table of remembered health. The only file that knows SQLite; builds without it have
// state_file_none.cpp instead.
#pragma once

#include "core/remembered.hpp"
#include "io/state_place.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lbresolve::io {

/// Opened for each use and closed after it: nothing of SQLite is open while nothing is read or written, so that fork()
/// is harmless then, and a file that another process has replaced is found anew. Whatever is wrong with the file ends
/// in a warning and in no rows. One thread at a time. Blocks on the disk.
class state_file {
 public:
  static constexpr std::size_t most_rows = 65'536;

  enum class outcome : std::uint8_t {
    done,
    busy,    ///< others were writing all the time: worth another try
    failed,  ///< the warning says why
  };

  /// What this build lacks; null where it lacks nothing.
  static const char* why_unsupported() noexcept;

  /// @param hurry once true, whatever is in progress ends as `busy`. Must outlive this.
  state_file(std::string path, const std::atomic<bool>& hurry);

  /// The rows of a network that are not older than an hour, newest first.
  std::vector<core::remembered> load(std::uint64_t network, std::chrono::system_clock::time_point now);

  /// In one transaction: forgets all, if `clear`; adds what is newer than what the file has of that endpoint; removes
  /// what is too old or too much. Makes the file unless there is nothing to write.
  outcome write(std::span<const core::remembered> rows, bool clear, std::chrono::system_clock::time_point now);

  /// Sentences since the last call.
  std::vector<std::string> take_warnings();

 private:
  /// Nothing where a damaged file was moved aside: once more.
  std::optional<outcome> write_once(const state_place& place, std::span<const core::remembered> rows, bool clear,
                                    std::chrono::system_clock::time_point now);
  bool may_read(const state_place& place, const state_place::verdict& judged);
  bool set_aside(const state_place& place, const state_place::verdict& judged, const std::string& why);
  void warn(const std::string& what);

  std::string path_;
  const std::atomic<bool>& hurry_;
  std::vector<std::string> warnings_;
  dev_t checked_device_ = 0;  // the file of which every page was looked at
  ino_t checked_inode_ = 0;
};

}  // namespace lbresolve::io
