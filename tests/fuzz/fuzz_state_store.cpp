// Whatever the state file holds: it is opened, loaded, written, loaded again. What is loaded passes the limits, and
// what was put is there afterwards, unless a warning says otherwise.
#include "core/remembered_row.hpp"
#include "io/state_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace {

using lbresolve::core::remembered;
using lbresolve::core::row_limits;
using lbresolve::io::state_file;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

/// In memory, where the system has such a folder: nothing here shall wait for a disk.
std::string make_folder() {
  std::string name = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm/lbresolve-fuzz-XXXXXX" : "/tmp/lbresolve-fuzz-XXXXXX";
  require(::mkdtemp(name.data()) != nullptr);
  return name;
}

void write_bytes(const std::string& path, const std::uint8_t* data, std::size_t size) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
}

void check(const remembered& r, std::chrono::system_clock::time_point now) {
  require(r.at.port != 0 && r.at.address.scope() == 0 && r.network == 7);
  require(r.seen <= now && r.seen >= now - row_limits::age - std::chrono::microseconds(1));
  for (const auto d : {r.srtt, r.rttvar, r.failure_time}) require(d.count() >= 0 && d <= row_limits::duration);
  require(std::max({r.successes, r.failures, r.consecutive_failures}) <= row_limits::count);
  require(r.backoff <= row_limits::backoff && (!r.ejected_until || *r.ejected_until <= now + row_limits::ejection));
}

}  // namespace

/// The first octet says how the rest is shared between the file and its journal.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string folder = make_folder();
  static const std::string path = folder + "/health.sqlite";
  if (size == 0) return 0;
  for (const char* end : {"", "-journal", ".damaged", ".damaged-journal"}) ::unlink((path + end).c_str());
  const std::size_t journal = data[0] == 0 ? 0 : (size - 1) * data[0] / 512;
  write_bytes(path, data + 1, size - 1 - journal);
  if (journal != 0) write_bytes(path + "-journal", data + size - journal, journal);

  const std::atomic<bool> hurry{false};
  const std::chrono::system_clock::time_point now{std::chrono::seconds{1'750'000'000}};  // as in make_corpus.py
  state_file file(path, hurry);
  for (const auto& r : file.load(7, now)) check(r, now);
  remembered mine;
  mine.network = 7;
  mine.at = {lbresolve::address::v4({192, 0, 2, 1}), 443};
  mine.seen = now;
  const bool kept = file.write({&mine, 1}, false, now) == state_file::outcome::done;
  const auto rows = file.load(7, now);
  for (const auto& r : rows) check(r, now);
  const bool is_there = std::any_of(rows.begin(), rows.end(), [&](const remembered& r) { return r.at == mine.at; });
  require((kept && is_there) || !file.take_warnings().empty());
  return 0;
}
