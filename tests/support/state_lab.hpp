// For tests of the state file: a folder that goes away, rows to put, and SQLite behind the store's back.
#pragma once

#include "core/remembered.hpp"
#include "io/state_store.hpp"

#include <lbresolve/endpoint.hpp>

#include <sqlite3.h>
#include <sys/stat.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace lbresolve::test {

using core::remembered;
using io::state_store;
using wall = std::chrono::system_clock;

/// A folder of the test's own, gone at its end.
class temporary_folder {
 public:
  temporary_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "lbresolve-state-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }
  std::string file() const { return (path_ / "health.sqlite").string(); }

 private:
  std::filesystem::path path_;
};

/// As precise as the file keeps it.
inline wall::time_point wall_now() { return std::chrono::floor<std::chrono::microseconds>(wall::now()); }

/// The n-th endpoint; its numbers agree with each other (see is_plausible()).
inline remembered row_of(std::uint16_t n, wall::time_point seen, std::uint32_t value = 1, std::uint64_t network = 7) {
  remembered r;
  r.network = network;
  r.at = {address::v4({10, 1, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)}), 443};
  r.seen = seen;
  r.srtt = std::chrono::microseconds(value);
  r.rttvar = std::chrono::microseconds(value);
  r.successes = value;
  r.failures = value;
  return r;
}

/// No mixture of two rows.
inline bool is_plausible(const remembered& r) {
  return r.srtt == r.rttvar && r.srtt == std::chrono::microseconds(r.successes) && r.failures == r.successes &&
         r.at.port == 443;
}

inline std::unique_ptr<state_store> open_store(const std::string& path, state_store::timing when = {}) {
  return state_store::open(path, when).value();
}

/// Puts, and waits until it is in the file.
inline bool keep(state_store& store, const std::vector<remembered>& rows) {
  store.put(rows);
  return store.flush(std::chrono::minutes{1});
}

/// What a fresh store finds; with `warnings`, also what it has to say.
inline std::vector<remembered> load_fresh(const std::string& path, std::vector<std::string>* warnings = nullptr,
                                          std::uint64_t network = 7) {
  state_store::timing patient;
  patient.load_patience = std::chrono::minutes{1};
  const auto store = open_store(path, patient);
  auto rows = store->load(network, wall::now());
  if (warnings != nullptr) *warnings = store->take_warnings();
  return rows;
}

/// The same from a file that others write to all the time: again where it was locked.
inline std::vector<remembered> load_among_writers(const std::string& path, std::vector<std::string>& warnings) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  for (;;) {
    auto rows = load_fresh(path, &warnings);
    const bool is_locked = warnings.size() == 1 && warnings[0].find("database is locked") != std::string::npos;
    if (!is_locked || std::chrono::steady_clock::now() > until) return rows;
  }
}

/// Runs SQL on the file; gives the first column of the last row.
inline std::string sql(const std::string& path, const std::string& text) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  sqlite3_busy_timeout(db, 10'000);
  sqlite3_exec(db, "PRAGMA synchronous = OFF", nullptr, nullptr, nullptr);
  std::string last;
  const auto keep_last = [](void* to, int, char** values, char**) {
    *static_cast<std::string*>(to) = values[0] != nullptr ? values[0] : "";
    return 0;
  };
  char* message = nullptr;
  const int code = sqlite3_exec(db, text.c_str(), keep_last, &last, &message);
  const std::string said = message != nullptr ? message : "";
  sqlite3_free(message);
  sqlite3_close(db);
  CAPTURE(said);
  REQUIRE(code == SQLITE_OK);
  return last;
}

inline std::vector<char> read_bytes(const std::string& path) {
  if (!std::filesystem::is_regular_file(path)) return {};
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void write_bytes(const std::string& path, const std::vector<char>& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline bool contains(const std::vector<std::string>& sentences, const std::string& part) {
  return std::any_of(sentences.begin(), sentences.end(),
                     [&](const std::string& s) { return s.find(part) != std::string::npos; });
}

inline unsigned mode_of(const std::string& path) {
  struct stat s {};
  return ::stat(path.c_str(), &s) == 0 ? s.st_mode & 07777U : 0;
}

}  // namespace lbresolve::test
