#include "io/state_file.hpp"

#include "core/remembered_row.hpp"
#include "io/state_session.hpp"

#include <sqlite3.h>

#include <cerrno>
#include <utility>

namespace lbresolve::io {

namespace {

using found = state_place::found;
using trouble = state_session::trouble;

}  // namespace

const char* state_file::why_unsupported() noexcept {
  return sqlite3_threadsafe() != 0 ? nullptr : "its SQLite was built without threads";
}

state_file::state_file(std::string path, const std::atomic<bool>& hurry) : path_(std::move(path)), hurry_(hurry) {}

void state_file::warn(const std::string& what) { warnings_.push_back("the state file " + path_ + " " + what); }

std::vector<std::string> state_file::take_warnings() { return std::exchange(warnings_, {}); }

bool state_file::set_aside(const state_place& place, const state_place::verdict& judged, const std::string& why) {
  if (const auto failed = place.move_aside(judged)) {
    warn("is damaged (" + why + ") and cannot be moved aside: " + failed.message() + "; nothing is remembered");
    return false;
  }
  warn("is damaged (" + why + "): it is now " + path_ + ".damaged, and memory starts empty");
  return true;
}

bool state_file::may_read(const state_place& place, const state_place::verdict& judged) {
  if (judged.is == found::foreign) warn(judged.why + "; nothing is remembered");
  if (judged.is == found::damaged) set_aside(place, judged, "it " + judged.why);
  return judged.is == found::ours;
}

std::vector<core::remembered> state_file::load(std::uint64_t network, std::chrono::system_clock::time_point now) {
  const auto entered = state_place::enter(path_, false);
  if (!entered) {
    if (entered.error().code() != errno_code(ENOENT))
      warn("cannot be reached: " + entered.error().message() + "; nothing is remembered");
    return {};
  }
  const state_place& place = entered.value();
  const auto judged = place.look();
  if (!may_read(place, judged)) return {};

  std::vector<core::remembered> rows;
  trouble what{};
  std::string why;
  {
    state_session db(place.path(), hurry_);
    if (checked_device_ != judged.device || checked_inode_ != judged.inode) db.check_pages();
    db.read(network, now, rows);
    what = db.what();
    why = db.why();
  }
  if (what == trouble::none) {
    checked_device_ = judged.device;
    checked_inode_ = judged.inode;
    return rows;
  }
  if (what == trouble::damaged)
    set_aside(place, judged, why);
  else
    warn("cannot be read: " + why + "; nothing is remembered");
  return {};
}

state_file::outcome state_file::write(std::span<const core::remembered> rows, bool clear,
                                      std::chrono::system_clock::time_point now) {
  const bool make = !rows.empty();
  const auto entered = state_place::enter(path_, make);
  if (!entered) {
    const auto code = entered.error().code();
    if (code == errno_code(EAGAIN)) return outcome::busy;
    if (!make && code == errno_code(ENOENT)) return outcome::done;
    warn("cannot be written: " + entered.error().message() + "; what is learned is not kept");
    return outcome::failed;
  }
  const state_place& place = entered.value();
  // Twice: what is damaged is moved aside, then there is nothing in the way.
  auto ended = write_once(place, rows, clear, now);
  if (!ended) ended = write_once(place, rows, clear, now);
  return ended.value_or(outcome::failed);
}

std::optional<state_file::outcome> state_file::write_once(const state_place& place,
                                                          std::span<const core::remembered> rows, bool clear,
                                                          std::chrono::system_clock::time_point now) {
  const auto judged = place.look();
  if (judged.is == found::foreign) {
    warn(judged.why + "; what is learned is not kept");
    return outcome::failed;
  }
  const auto move_away = [&](const std::string& why) -> std::optional<outcome> {
    if (set_aside(place, judged, why)) return std::nullopt;
    return outcome::failed;
  };
  if (judged.is == found::damaged) return move_away("it " + judged.why);
  if (judged.is != found::ours && rows.empty()) return outcome::done;
  const auto not_made = judged.is == found::nothing ? place.create() : std::error_code();
  if (not_made) {
    warn("cannot be made: " + not_made.message() + "; what is learned is not kept");
    return outcome::failed;
  }

  trouble what{};
  std::string why;
  {
    state_session db(place.path(), hurry_);
    db.begin_write();
    if (clear) db.remove_all();
    for (const auto& one : rows) {
      if (const auto row = core::to_row(one)) db.add(*row, now);
    }
    db.collect(now, most_rows);
    db.commit();
    what = db.what();
    why = db.why();
  }
  switch (what) {
    case trouble::none:
      return outcome::done;
    case trouble::busy:
      return outcome::busy;
    case trouble::damaged:
      return move_away(why);
    case trouble::refused:
      break;
  }
  warn("cannot be written: " + why + "; what is learned is not kept");
  return outcome::failed;
}

}  // namespace lbresolve::io
