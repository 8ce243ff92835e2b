#include "io/state_session.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>

namespace lbresolve::io {

namespace {

using namespace std::chrono_literals;
using core::remembered_row;
using core::row_limits;

/// How long others are waited for, in all, and how long one statement may take: more is a file made to be slow. Nobody
/// waits for as long: a full file on a busy machine takes its time.
constexpr auto busy_for = 200ms;
constexpr auto longest = 10s;
constexpr int progress_steps = 10'000;

/// As SQLite keeps them in its schema: a file whose text differs by one letter is not ours.
constexpr const char* table_sql =
    "CREATE TABLE health (network INTEGER NOT NULL, address BLOB NOT NULL, port INTEGER NOT NULL, "
    "seen INTEGER NOT NULL, srtt INTEGER NOT NULL, rttvar INTEGER NOT NULL, failure_time INTEGER NOT NULL, "
    "successes INTEGER NOT NULL, failures INTEGER NOT NULL, consecutive_failures INTEGER NOT NULL, "
    "backoff INTEGER NOT NULL, ejected_until INTEGER, PRIMARY KEY (network, address, port)) WITHOUT ROWID";
constexpr const char* index_sql = "CREATE INDEX health_seen ON health (seen)";
constexpr const char* header_sql = "PRAGMA application_id = 1818391155; PRAGMA user_version = 1";  // state_format

constexpr const char* select_sql =
    "SELECT address, port, seen, srtt, rttvar, failure_time, successes, failures, consecutive_failures, backoff, "
    "ejected_until FROM health WHERE network = ?1 AND seen >= ?2 ORDER BY seen DESC LIMIT 65536";
constexpr const char* upsert_sql =
    "INSERT INTO health VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) "
    "ON CONFLICT (network, address, port) DO UPDATE SET seen = excluded.seen, srtt = excluded.srtt, "
    "rttvar = excluded.rttvar, failure_time = excluded.failure_time, successes = excluded.successes, "
    "failures = excluded.failures, consecutive_failures = excluded.consecutive_failures, "
    "backoff = excluded.backoff, ejected_until = excluded.ejected_until "
    "WHERE excluded.seen >= health.seen OR health.seen > ?13";

/// The columns from `first` on, where each is an integer: SQLite stores any type in any column.
bool read_integers(sqlite3_stmt* s, int first, std::initializer_list<std::int64_t*> into) {
  for (auto* value : into) {
    if (sqlite3_column_type(s, first) != SQLITE_INTEGER) return false;
    *value = sqlite3_column_int64(s, first++);
  }
  return true;
}

std::optional<remembered_row> read_row(sqlite3_stmt* s, std::uint64_t network) {
  remembered_row row;
  row.network = std::bit_cast<std::int64_t>(network);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(s, 0));
  if (sqlite3_column_type(s, 0) != SQLITE_BLOB || size == 0 || size > row.address.size()) return std::nullopt;
  std::memcpy(row.address.data(), sqlite3_column_blob(s, 0), size);
  row.address_size = size;
  if (!read_integers(s, 1,
                     {&row.port, &row.seen, &row.srtt, &row.rttvar, &row.failure_time, &row.successes, &row.failures,
                      &row.consecutive_failures, &row.backoff}))
    return std::nullopt;
  constexpr int ejected_at = 10;
  if (sqlite3_column_type(s, ejected_at) == SQLITE_NULL) return row;
  std::int64_t ejected_until = 0;
  if (!read_integers(s, ejected_at, {&ejected_until})) return std::nullopt;
  row.ejected_until = ejected_until;
  return row;
}

}  // namespace

state_session::state_session(const std::string& path, const std::atomic<bool>& hurry) : hurry_(hurry) {
  sqlite3* db = nullptr;
  // NOMUTEX: one thread uses it. NOFOLLOW: SQLite refuses a symbolic link; the directory's were resolved before.
  code_ =
      sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, nullptr);
  db_.reset(db);
  if (code_ != SQLITE_OK && db != nullptr) errno_ = sqlite3_system_errno(db);
  if (code_ == SQLITE_OK) configure();
}

void state_session::configure() {
  sqlite3* db = db_.get();
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_handler(db, &on_busy, this);
  sqlite3_progress_handler(db, progress_steps, &on_progress, this);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1 << 20);
  sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
  run("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; "
      "PRAGMA synchronous = NORMAL");
}

/// SQLite's own handler sleeps whole seconds where it was built without usleep().
int state_session::on_busy(void* self, int) {
  const auto& s = *static_cast<const state_session*>(self);
  if (s.hurry_ || std::chrono::steady_clock::now() - s.began_ > busy_for) return 0;
  std::this_thread::sleep_for(3ms);
  return 1;
}

int state_session::on_progress(void* self) {
  const auto& s = *static_cast<const state_session*>(self);
  return s.hurry_ || std::chrono::steady_clock::now() - s.statement_began_ > longest ? 1 : 0;
}

state_session::trouble state_session::what() const noexcept {
  switch (code_ & 0xFF) {
    case SQLITE_OK:
      return trouble::none;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return trouble::busy;
    case SQLITE_INTERRUPT:
      return hurry_ ? trouble::busy : trouble::refused;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_ERROR:  // our statements are right: it is the file that does not fit them
    case SQLITE_SCHEMA:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
      return trouble::damaged;
    default:
      return trouble::refused;
  }
}

std::string state_session::why() const {
  if (!reason_.empty()) return reason_;
  if ((code_ & 0xFF) == SQLITE_INTERRUPT) return "it takes too long";
  std::string text = sqlite3_errstr(code_);  // never sqlite3_errmsg(): that quotes the file
  if (errno_ != 0) text += ": " + std::error_code(errno_, std::system_category()).message();
  return text;
}

void state_session::run(const char* sql) {
  if (code_ != SQLITE_OK) return;
  statement_began_ = std::chrono::steady_clock::now();
  code_ = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (code_ != SQLITE_OK) errno_ = sqlite3_system_errno(db_.get());
}

state_session::statement state_session::prepare(const char* sql) {
  sqlite3_stmt* s = nullptr;
  statement_began_ = std::chrono::steady_clock::now();
  if (code_ == SQLITE_OK) code_ = sqlite3_prepare_v2(db_.get(), sql, -1, &s, nullptr);
  return {s, &sqlite3_finalize};
}

bool state_session::step(const statement& s) {
  if (code_ != SQLITE_OK) return false;
  const int code = sqlite3_step(s.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) {
    code_ = code;
    errno_ = sqlite3_system_errno(db_.get());
  }
  return false;
}

bool state_session::has_no_schema() {
  const auto s = prepare("SELECT sql FROM sqlite_master ORDER BY type");  // index, table
  std::vector<std::string> texts;
  while (texts.size() < 3 && step(s)) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(s.get(), 0));
    texts.emplace_back(text != nullptr ? text : "");
  }
  if (code_ != SQLITE_OK || texts.empty()) return true;
  if (texts == std::vector<std::string>{index_sql, table_sql}) return false;
  code_ = SQLITE_CORRUPT;
  reason_ = "its tables are not those of this version";
  return true;
}

void state_session::check_pages() {
  const auto s = prepare("PRAGMA quick_check(1)");
  if (!step(s)) return;
  const auto* said = reinterpret_cast<const char*>(sqlite3_column_text(s.get(), 0));
  if (said == nullptr || std::string_view(said) != "ok") code_ = SQLITE_CORRUPT;
}

void state_session::read(std::uint64_t network, wall_time now, std::vector<core::remembered>& to) {
  if (has_no_schema()) return;
  const auto s = prepare(select_sql);
  if (code_ != SQLITE_OK) return;
  sqlite3_bind_int64(s.get(), 1, std::bit_cast<std::int64_t>(network));
  sqlite3_bind_int64(s.get(), 2, core::microseconds_of(now) - row_limits::age.count());
  while (step(s)) {
    const auto row = read_row(s.get(), network);
    const auto value = row ? core::from_row(*row, now) : std::nullopt;
    if (value) to.push_back(*value);
  }
}

void state_session::begin_write() {
  if (code_ == SQLITE_OK && sqlite3_db_readonly(db_.get(), "main") == 1) code_ = SQLITE_READONLY;
  run("PRAGMA journal_mode = DELETE");
  run("BEGIN IMMEDIATE");
  if (!has_no_schema() || code_ != SQLITE_OK) return;
  run(table_sql);
  run(index_sql);
  run(header_sql);
}

void state_session::remove_all() { run("DELETE FROM health"); }

void state_session::add(const remembered_row& row, wall_time now) {
  if (!upsert_) upsert_ = prepare(upsert_sql);
  if (code_ != SQLITE_OK) return;
  sqlite3_stmt* s = upsert_.get();
  sqlite3_bind_int64(s, 1, row.network);
  sqlite3_bind_blob(s, 2, row.address.data(), static_cast<int>(row.address_size), SQLITE_STATIC);
  int at = 3;
  for (const auto value : {row.port, row.seen, row.srtt, row.rttvar, row.failure_time, row.successes, row.failures,
                           row.consecutive_failures, row.backoff})
    sqlite3_bind_int64(s, at++, value);
  row.ejected_until ? sqlite3_bind_int64(s, at, *row.ejected_until) : sqlite3_bind_null(s, at);
  // A row from the future, left by a clock that was set back, would otherwise win for good.
  sqlite3_bind_int64(s, at + 1, core::microseconds_of(now) + row_limits::ahead.count());
  statement_began_ = std::chrono::steady_clock::now();
  step(upsert_);
  sqlite3_reset(s);
}

void state_session::collect(wall_time now, std::size_t most) {
  const auto times = prepare("DELETE FROM health WHERE seen < ?1 OR seen > ?2");
  if (code_ != SQLITE_OK) return;
  sqlite3_bind_int64(times.get(), 1, core::microseconds_of(now) - row_limits::age.count());
  sqlite3_bind_int64(times.get(), 2, core::microseconds_of(now) + row_limits::ahead.count());
  step(times);
  const auto excess =
      prepare("DELETE FROM health WHERE seen <= (SELECT seen FROM health ORDER BY seen DESC LIMIT 1 OFFSET ?1)");
  if (code_ != SQLITE_OK) return;
  sqlite3_bind_int64(excess.get(), 1, static_cast<std::int64_t>(most));
  step(excess);
}

void state_session::commit() {
  upsert_.reset();
  run("COMMIT");
}

}  // namespace lbresolve::io
