// One SQLite connection to the state file, for one use: every statement there is, and what its failures mean.
#pragma once

#include "core/remembered.hpp"
#include "core/remembered_row.hpp"

#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lbresolve::io {

/// The first failure stays and makes every later call do nothing, so that callers ask once, at the end.
///
/// The file is hostile: its schema must be ours to the letter before anything is read, so that no expression, trigger
/// or view of somebody else's ever runs; nothing is mapped into memory (a file cut off would kill the process); and
/// time is bounded.
class state_session {
 public:
  using wall_time = std::chrono::system_clock::time_point;
  enum class trouble : std::uint8_t {
    none,
    busy,     ///< others held it: later
    damaged,  ///< the file is not what it should be
    refused,  ///< the system said no: full, read-only, no memory
  };

  /// @param hurry once true, what is in progress ends as busy. Must outlive this.
  state_session(const std::string& path, const std::atomic<bool>& hurry);
  state_session(const state_session&) = delete;
  state_session& operator=(const state_session&) = delete;

  trouble what() const noexcept;
  /// One sentence's end: "disk I/O error: No space left on device".
  std::string why() const;

  /// Looks at every page.
  void check_pages();
  /// Appends the rows of a network, newest first, that pass core::from_row().
  void read(std::uint64_t network, wall_time now, std::vector<core::remembered>& to);

  void begin_write();
  void remove_all();
  /// Unless the file has something newer of that endpoint.
  void add(const core::remembered_row& row, wall_time now);
  /// Removes what is too old, from the future, or more than `most`.
  void collect(wall_time now, std::size_t most);
  void commit();

 private:
  using statement = std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)>;

  void configure();
  void run(const char* sql);
  statement prepare(const char* sql);
  bool step(const statement& s);
  /// Tells whether there is no table yet; a schema that is not ours is damage.
  bool has_no_schema();
  static int on_busy(void* self, int times);
  static int on_progress(void* self);

  const std::atomic<bool>& hurry_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point statement_began_ = began_;
  int code_ = SQLITE_OK;
  int errno_ = 0;
  std::string reason_;  // where SQLite has no words for it
  std::unique_ptr<sqlite3, int (*)(sqlite3*)> db_{nullptr, &sqlite3_close};
  statement upsert_{nullptr, &sqlite3_finalize};  // destroyed before db_
};

}  // namespace lbresolve::io
