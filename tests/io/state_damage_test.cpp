// Whatever lies where the state file should be: memory starts empty, a warning says why, and nothing crashes (SEC-11).
#if defined(LBRESOLVE_TEST_SQLITE)

#include "support/own_namespace.hpp"
#include "support/state_lab.hpp"

#include <grp.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <doctest/doctest.h>

#include <csignal>
#include <random>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;

/// A whole file of `count` rows.
std::vector<char> whole_file(std::uint16_t count) {
  const temporary_folder folder;
  std::vector<remembered> rows;
  for (std::uint16_t i = 0; i < count; ++i) rows.push_back(row_of(i, wall_now()));
  REQUIRE(keep(*open_store(folder.file()), rows));
  return read_bytes(folder.file());
}

std::vector<char> noise(std::size_t size, unsigned seed) {
  std::mt19937 random{seed};
  std::vector<char> bytes(size);
  for (auto& b : bytes) b = static_cast<char>(random());
  return bytes;
}

/// Loads nothing, says so, and keeps what is put then.
void check_starts_empty(const std::string& path, const std::string& sentence) {
  std::vector<std::string> warnings;
  CHECK(load_fresh(path, &warnings).empty());
  REQUIRE(warnings.size() == 1);
  CAPTURE(warnings[0]);
  CHECK(contains(warnings, sentence));
  CHECK(contains(warnings, path));
  CHECK(keep(*open_store(path), {row_of(1, wall_now())}));
  CHECK(load_fresh(path, &warnings).size() == 1);
  CHECK(warnings.empty());
}

/// Is not read, not written and not replaced.
void check_left_alone(const std::string& path, const std::string& sentence) {
  const auto before = read_bytes(path);
  const auto store = open_store(path);
  CHECK(store->load(7, wall::now()).empty());
  CHECK_FALSE(keep(*store, {row_of(1, wall_now())}));
  const auto warnings = store->take_warnings();
  CHECK(contains(warnings, sentence));
  CHECK(contains(warnings, "nothing is remembered"));
  CHECK(contains(warnings, "what is learned is not kept"));
  CHECK(read_bytes(path) == before);
  CHECK_FALSE(std::filesystem::exists(path + ".damaged"));
}

// -------------------------------------------------------------------------------------- damaged files

TEST_CASE("SEC-11: random bytes, text and zeros are moved aside, and memory starts empty with a warning") {
  unsigned seed = 1;
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{99}, std::size_t{100}, std::size_t{4096}, std::size_t{100'000}}) {
    CAPTURE(size);
    for (const auto& bytes : {noise(size, seed++), std::vector<char>(size, '\0'), std::vector<char>(size, 'x')}) {
      const temporary_folder folder;
      write_bytes(folder.file(), bytes);
      check_starts_empty(folder.file(), "is damaged");
      CHECK(read_bytes(folder.file() + ".damaged") == bytes);
    }
  }
}

TEST_CASE("SEC-11: a damaged file is moved aside by a write, too; one generation is kept, with its journal") {
  const temporary_folder folder;
  write_bytes(folder.file(), noise(5000, 1));
  write_bytes(folder.file() + "-journal", noise(600, 2));
  const auto store = open_store(folder.file());
  CHECK(keep(*store, {row_of(1, wall_now())}));
  CHECK(contains(store->take_warnings(), "is damaged"));
  CHECK(read_bytes(folder.file() + ".damaged") == noise(5000, 1));
  CHECK(read_bytes(folder.file() + ".damaged-journal") == noise(600, 2));
  CHECK(load_fresh(folder.file()).size() == 1);

  write_bytes(folder.file(), noise(4000, 3));
  CHECK(keep(*store, {row_of(1, wall_now())}));
  CHECK(read_bytes(folder.file() + ".damaged") == noise(4000, 3));
  CHECK_FALSE(std::filesystem::exists(folder.file() + ".damaged-journal"));
  CHECK_FALSE(std::filesystem::exists(folder.file() + "-journal"));
}

TEST_CASE("SEC-11: a file cut off anywhere starts empty with a warning; nothing in it is used") {
  const auto whole = whole_file(400);
  REQUIRE(whole.size() > 20'000);
  std::vector<std::size_t> lengths{1, 15, 16, 50, 99, 100, 101, 1000, 4095, 4096, 4097, 8192};
  for (std::size_t n = 10'000; n < whole.size(); n += 3'333) lengths.push_back(n);
  for (const auto length : lengths) {
    CAPTURE(length);
    const temporary_folder folder;
    write_bytes(folder.file(), {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
    check_starts_empty(folder.file(), "is damaged");
  }
}

TEST_CASE("SEC-11: whatever bytes are changed, what is loaded is plausible, and the store goes on") {
  const auto whole = whole_file(200);
  std::mt19937 random{11};
  for (int round = 0; round < 200; ++round) {
    CAPTURE(round);
    const temporary_folder folder;
    auto bytes = whole;
    for (auto n = 1 + random() % 20; n > 0; --n) {
      const auto at = random() % (round % 2 == 0 ? 600 : bytes.size());  // the header and the schema, or anywhere
      bytes[at] = static_cast<char>(random());
    }
    write_bytes(folder.file(), bytes);
    std::vector<std::string> warnings;
    const auto now = wall::now();
    for (const auto& r : load_fresh(folder.file(), &warnings)) {
      CHECK(r.seen <= now + 1s);
      CHECK(r.at.port != 0);
      CHECK(r.srtt <= 10min);
      CHECK(r.backoff <= 16);
    }
    const auto store = open_store(folder.file());
    const bool kept = keep(*store, {row_of(1, wall_now())});
    CHECK((kept || !store->take_warnings().empty()));
  }
}

TEST_CASE("SEC-11: a file that became damaged while the store is open is moved aside, and the store goes on") {
  const temporary_folder folder;
  const auto store = open_store(folder.file());
  CHECK(keep(*store, {row_of(1, wall_now())}));
  auto bytes = read_bytes(folder.file());
  std::fill(bytes.begin() + 100, bytes.end(), '\x55');
  write_bytes(folder.file(), bytes);
  CHECK(keep(*store, {row_of(2, wall_now())}));
  CHECK(contains(store->take_warnings(), "is damaged"));
  CHECK(load_fresh(folder.file()).size() == 1);

  std::filesystem::remove_all(folder.path());
  CHECK(keep(*store, {row_of(3, wall_now())}));
  CHECK(load_fresh(folder.file()).size() == 1);
}

TEST_CASE("SEC-11: an enormous file is not read") {
  const temporary_folder folder;
  write_bytes(folder.file(), whole_file(1));
  std::filesystem::resize_file(folder.file(), std::uintmax_t{1} << 40);
  check_starts_empty(folder.file(), "64 MiB");
}

// ------------------------------------------------------------------------------ somebody else's files

TEST_CASE("SEC-11: a file of a newer version is left untouched") {
  const temporary_folder folder;
  CHECK(keep(*open_store(folder.file()), {row_of(1, wall_now())}));
  sql(folder.file(), "PRAGMA user_version = 2");
  check_left_alone(folder.file(), "is of a newer version (2)");
  CHECK(sql(folder.file(), "SELECT count(*) FROM health") == "1");
}

TEST_CASE("SEC-11: a version that never was is damage") {
  const temporary_folder folder;
  CHECK(keep(*open_store(folder.file()), {row_of(1, wall_now())}));
  sql(folder.file(), "PRAGMA user_version = 0");
  check_starts_empty(folder.file(), "is of an unknown version");
}

TEST_CASE("SEC-11: a database of another program is left untouched") {
  const temporary_folder folder;
  sql(folder.file(), "CREATE TABLE health (network INTEGER); INSERT INTO health VALUES (7); PRAGMA user_version = 1");
  check_left_alone(folder.file(), "is a database of another program");
}

TEST_CASE("SEC-11: tables, triggers and views that are not of this version make a file damaged, and never run") {
  for (const char* change :
       {"CREATE TRIGGER t AFTER INSERT ON health BEGIN DELETE FROM health; END", "CREATE TABLE more (a)",
        "ALTER TABLE health ADD COLUMN more INTEGER", "DROP INDEX health_seen",
        "ALTER TABLE health RENAME TO h; CREATE VIEW health AS SELECT * FROM h",
        "DROP INDEX health_seen; CREATE INDEX health_seen ON health (abs(seen))"}) {
    CAPTURE(std::string(change));
    const temporary_folder folder;
    CHECK(keep(*open_store(folder.file()), {row_of(1, wall_now())}));
    sql(folder.file(), change);
    check_starts_empty(folder.file(), "is damaged");
  }
}

TEST_CASE("SEC-11: a file with a write-ahead log is not opened: that would be mapped into memory") {
  const temporary_folder folder;
  CHECK(keep(*open_store(folder.file()), {row_of(1, wall_now())}));
  sql(folder.file(), "PRAGMA journal_mode = WAL");
  check_starts_empty(folder.file(), "has no rollback journal");
  CHECK_FALSE(std::filesystem::exists(folder.file() + "-shm"));
}

TEST_CASE("SEC-11: values of other types and out of their range are dropped, the rest is used") {
  const auto three_rows = whole_file(3);
  for (const char* value :
       {"-1", "70000", "9223372036854775807", "-9223372036854775808", "1.5", "'x'", "x'00'", "1e300"}) {
    for (const char* column : {"port", "srtt", "rttvar", "failure_time", "successes", "failures",
                               "consecutive_failures", "backoff", "seen"}) {
      if (std::string(value) == "70000" && std::string(column) != "port" && std::string(column) != "backoff") continue;
      CAPTURE(std::string(value));
      CAPTURE(std::string(column));
      const temporary_folder folder;
      write_bytes(folder.file(), three_rows);
      sql(folder.file(), std::string("UPDATE health SET ") + column + " = " + value + " WHERE address = x'0a010001'");
      const auto rows = load_fresh(folder.file());
      CHECK(rows.size() == 2);
    }
  }
  for (const char* blob : {"x''", "x'0a'", "x'0a0a0a0a0a'", "zeroblob(17)", "zeroblob(500000)", "'10.1.0.1'", "7"}) {
    CAPTURE(std::string(blob));
    const temporary_folder folder;
    write_bytes(folder.file(), three_rows);
    sql(folder.file(), std::string("UPDATE health SET address = ") + blob + " WHERE address = x'0a010001'");
    CHECK(load_fresh(folder.file()).size() == 2);
  }
}

TEST_CASE("SEC-11: what is no file of ours is left alone: links, folders, pipes, sockets, other users' files") {
  const temporary_folder folder;
  const auto target = (folder.path() / "target").string();
  write_bytes(target, noise(5000, 1));
  SUBCASE("a symbolic link") {
    std::filesystem::create_symlink(target, folder.file());
    check_left_alone(folder.file(), "is a symbolic link");
  }
  SUBCASE("a symbolic link to nothing") {
    std::filesystem::create_symlink(folder.path() / "nothing", folder.file());
    check_left_alone(folder.file(), "is a symbolic link");
    CHECK_FALSE(std::filesystem::exists(folder.path() / "nothing"));
  }
  SUBCASE("a hard link") {
    std::filesystem::create_hard_link(target, folder.file());
    check_left_alone(folder.file(), "hard links");
  }
  SUBCASE("a folder") {
    std::filesystem::create_directory(folder.file());
    check_left_alone(folder.file(), "is no regular file");
  }
  SUBCASE("a pipe that nobody writes to") {
    REQUIRE(::mkfifo(folder.file().c_str(), 0600) == 0);
    const auto store = open_store(folder.file());
    CHECK(store->load(7, wall::now()).empty());
    CHECK_FALSE(keep(*store, {row_of(1, wall_now())}));
    CHECK(contains(store->take_warnings(), "is no regular file"));
  }
  SUBCASE("another user's") {
    if (::geteuid() != 0) return;
    write_bytes(folder.file(), whole_file(1));
    REQUIRE(::chown(folder.file().c_str(), 65534, 65534) == 0);
    check_left_alone(folder.file(), "belongs to another user");
  }
  CHECK(read_bytes(target) == noise(5000, 1));
}

TEST_CASE("SEC-11: a journal that is a symbolic link is not written through") {
  const temporary_folder folder;
  const auto target = (folder.path() / "target").string();
  write_bytes(target, noise(5000, 1));
  const auto store = open_store(folder.file());
  CHECK(keep(*store, {row_of(1, wall_now())}));
  std::filesystem::create_symlink(target, folder.file() + "-journal");
  keep(*store, {row_of(2, wall_now())});
  CHECK(read_bytes(target) == noise(5000, 1));
}

TEST_CASE("a folder that is a symbolic link is followed, as homes may be") {
  const temporary_folder folder;
  std::filesystem::create_directory(folder.path() / "real");
  std::filesystem::create_symlink(folder.path() / "real", folder.path() / "link");
  CHECK(keep(*open_store((folder.path() / "link" / "health.sqlite").string()), {row_of(1, wall_now())}));
  CHECK(load_fresh((folder.path() / "real" / "health.sqlite").string()).size() == 1);
}

// ------------------------------------------------------------------- what the system does not allow

/// For the rest of a child's life: somebody who is not root.
bool become_nobody() {
  return ::geteuid() != 0 || (::setgroups(0, nullptr) == 0 && ::setresgid(65534, 65534, 65534) == 0 &&
                              ::setresuid(65534, 65534, 65534) == 0);
}

TEST_CASE("SEC-11: a read-only file is read; writes are dropped, with one warning") {
  const temporary_folder folder;
  CHECK(keep(*open_store(folder.file()), {row_of(1, wall_now()), row_of(2, wall_now())}));
  REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
  REQUIRE(::chmod(folder.file().c_str(), 0444) == 0);
  const int status = in_child([&] {
    if (!become_nobody()) return 1;
    const auto store = open_store(folder.file());
    if (store->load(7, wall::now()).size() != 2) return 2;
    if (!store->take_warnings().empty()) return 3;
    for (int i = 0; i < 3; ++i) {
      if (keep(*store, {row_of(3, wall_now())})) return 4;
    }
    const auto warnings = store->take_warnings();
    if (warnings.size() != 1 || !contains(warnings, "what is learned is not kept")) return 5;
    return store->load(7, wall::now()).size() == 2 ? 0 : 6;
  });
  CHECK(status == 0);
}

TEST_CASE("SEC-11: a file that may not be read, and a folder that may not be entered or made, are a warning") {
  const temporary_folder folder;
  CHECK(keep(*open_store(folder.file()), {row_of(1, wall_now())}));
  REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
  REQUIRE(::chmod(folder.file().c_str(), 0) == 0);
  std::filesystem::create_directory(folder.path() / "closed");
  REQUIRE(::chmod((folder.path() / "closed").c_str(), 0) == 0);
  for (const auto& path : {folder.file(), (folder.path() / "closed" / "file").string(),
                           (folder.path() / "closed" / "more" / "file").string(), folder.file() + "/file",
                           std::string("/proc/no/file"), std::string("/"), folder.path().string() + "/"}) {
    CAPTURE(path);
    const int status = in_child([&] {
      if (!become_nobody()) return 1;
      const auto store = open_store(path);
      if (!store->load(7, wall::now()).empty()) return 2;
      if (keep(*store, {row_of(3, wall_now())})) return 3;
      return store->take_warnings().empty() ? 4 : 0;
    });
    CHECK(status == 0);
  }
  ::chmod((folder.path() / "closed").c_str(), 0700);
}

TEST_CASE("SEC-11: a damaged file in a folder that may not be changed stays there, with a warning") {
  const temporary_folder folder;
  write_bytes(folder.file(), noise(5000, 1));
  REQUIRE(::chmod(folder.path().c_str(), 0555) == 0);
  REQUIRE(::chmod(folder.file().c_str(), 0444) == 0);
  const int status = in_child([&] {
    if (!become_nobody()) return 1;
    const auto store = open_store(folder.file());
    if (!store->load(7, wall::now()).empty()) return 2;
    return contains(store->take_warnings(), "cannot be moved aside") ? 0 : 3;
  });
  CHECK(status == 0);
  ::chmod(folder.path().c_str(), 0755);
  CHECK(read_bytes(folder.file()) == noise(5000, 1));
}

/// Fills the file until the system says no: that is a warning, what was there stays, and the process lives.
int fill(const std::string& path) {
  const auto store = open_store(path);
  if (!keep(*store, {row_of(0, wall_now())})) return 10;
  std::vector<remembered> rows;
  for (std::uint16_t i = 0; i < 4000; ++i) rows.push_back(row_of(i, wall_now()));
  if (keep(*store, rows)) return 11;
  const auto warnings = store->take_warnings();
  if (warnings.size() != 1 || !contains(warnings, "what is learned is not kept")) return 12;
  std::vector<std::string> more;
  if (load_fresh(path, &more).size() != 1) return 13;
  return more.empty() && sql(path, "PRAGMA integrity_check") == "ok" ? 0 : 14;
}

TEST_CASE("SEC-11: a file that may not grow any more is a warning, and not the end of the process (SIGXFSZ)") {
  const temporary_folder folder;
  const int status = in_child([&] {
    const rlimit limit{64 << 10, 64 << 10};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    return fill(folder.file());
  });
  CHECK(status == 0);
}

TEST_CASE("SEC-11: a full disk is a warning, and damages nothing") {
  if (!has_namespaces(CLONE_NEWNS)) return;
  const temporary_folder folder;
  const int status = in_child([&] {
    if (!enter_namespaces(CLONE_NEWNS) || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 1;
    if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=96k") != 0) return 2;
    return fill(folder.file());
  });
  CHECK(status == 0);
}

TEST_CASE("SEC-11: a store that can start no thread goes without, with a warning") {
  if (::geteuid() != 0) return;  // the limit counts the user's threads everywhere: only for a user with none
  const temporary_folder folder;
  const int status = in_child([&] {
    const rlimit limit{1, 1};
    if (!become_nobody() || ::setrlimit(RLIMIT_NPROC, &limit) != 0) return 1;
    const auto store = open_store(folder.file());
    if (!store->load(7, wall::now()).empty()) return 2;
    store->put(std::vector{row_of(1, wall_now())});
    return contains(store->take_warnings(), "no thread") ? 0 : 3;
  });
  CHECK(status == 0);
}

}  // namespace
}  // namespace lbresolve::test

#endif
