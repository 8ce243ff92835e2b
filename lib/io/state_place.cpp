#include "io/state_place.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

namespace lbresolve::io {

namespace {

using namespace std::chrono_literals;

/// SQLite's header (https://www.sqlite.org/fileformat2.html section 1.3).
constexpr std::string_view magic{"SQLite format 3\0", 16};
constexpr std::size_t header_size = 100;
constexpr std::size_t write_version_at = 18;  // 1: rollback journal, 2: write-ahead log
constexpr std::size_t read_version_at = 19;
constexpr std::size_t user_version_at = 60;
constexpr std::size_t application_id_at = 68;

/// 64 k rows take 8 MiB; what is far larger was not written by us, and is not read.
constexpr off_t largest = off_t{64} << 20;

/// The process whose turn it is; 0: nobody's. A child forked during its parent's turn inherits the parent's pid here,
/// and with it an SQLite library whose locks nobody will ever release: it goes without. A mutex could not tell.
std::atomic<pid_t>& holder() noexcept {
  static std::atomic<pid_t> pid{0};
  return pid;
}

std::uint32_t big_endian(const std::array<unsigned char, header_size>& from, std::size_t at) {
  return std::uint32_t{from[at]} << 24 | std::uint32_t{from[at + 1]} << 16 | std::uint32_t{from[at + 2]} << 8 |
         from[at + 3];
}

/// mkdir -p, mode 0700. Those that exist keep the mode they have.
std::error_code make_directories(const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), S_IRWXU) != 0 && errno != EEXIST && errno != EROFS && errno != EACCES && errno != EISDIR)
      return last_error();
    if (end == std::string::npos) break;
  }
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return last_error();
  return S_ISDIR(s.st_mode) ? std::error_code() : errno_code(ENOTDIR);
}

/// flock() with patience; a file system without flock() is taken as it is: only the renaming is then unguarded.
bool lock_directory(int fd, int how) {
  for (int i = 0; i < 20; ++i) {
    if (::flock(fd, how | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK && errno != EINTR) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

result<std::string> real_directory(const std::string& directory) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(directory.c_str(), nullptr), &std::free);
  if (!real) return error(last_error());
  return std::string(real.get());
}

using found = state_place::found;

state_place::verdict judge_header(int fd, state_place::verdict v) {
  const auto call_it = [&v](found is, std::string why) {
    v.is = is;
    v.why = std::move(why);
    return v;
  };
  std::array<unsigned char, header_size> header{};
  const auto got = ::pread(fd, header.data(), header.size(), 0);
  if (got < 0) return call_it(found::foreign, "cannot be read: " + last_error().message());
  if (got < static_cast<ssize_t>(header.size())) return call_it(found::damaged, "is cut off");
  if (std::memcmp(header.data(), magic.data(), magic.size()) != 0) return call_it(found::damaged, "is no database");
  if (big_endian(header, application_id_at) != state_format::application_id)
    return call_it(found::foreign, "is a database of another program");
  const std::uint32_t version = big_endian(header, user_version_at);
  if (version > state_format::version)
    return call_it(found::foreign, "is of a newer version (" + std::to_string(version) + ")");
  if (version != state_format::version) return call_it(found::damaged, "is of an unknown version");
  // A write-ahead log would be mapped into memory: a file cut off meanwhile would then kill the process.
  if (header[write_version_at] != 1 || header[read_version_at] != 1)
    return call_it(found::damaged, "has no rollback journal");
  return call_it(found::ours, {});
}

}  // namespace

bool state_place::turn::take() noexcept {
  for (;;) {
    pid_t whose = 0;
    if (holder().compare_exchange_strong(whose, ::getpid())) return mine_ = true;
    if (whose != ::getpid()) return false;
    std::this_thread::sleep_for(1ms);
  }
}

state_place::turn::~turn() {
  if (mine_) holder() = 0;
}

state_place::state_place(turn mine, unique_fd directory, std::string path)
    : mine_(std::move(mine)), directory_(std::move(directory)), path_(std::move(path)) {}

state_place::~state_place() {
  // Explicitly: a child forked meanwhile holds the same open directory, and the lock belongs to that.
  if (directory_) ::flock(directory_.get(), LOCK_UN);
}

result<state_place> state_place::enter(const std::string& path, bool make_directory) {
  turn mine;
  if (!mine.take()) return error(errno_code(ECANCELED));

  const auto slash = path.rfind('/');
  const std::string name = path.substr(slash + 1);
  const std::string directory = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  if (name.empty() || name == "." || name == "..") return error(errno_code(EISDIR));
  if (make_directory) {
    if (const auto failed = make_directories(directory)) return error(failed);
  }
  auto real = real_directory(directory);
  if (!real) return real.error();
  unique_fd fd(::open(real.value().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return error(last_error());
  if (!lock_directory(fd.get(), LOCK_SH)) return error(errno_code(EAGAIN));
  std::string whole = (real.value() == "/" ? "" : real.value()) + "/" + name;
  return state_place(std::move(mine), std::move(fd), std::move(whole));
}

std::string state_place::name() const { return path_.substr(path_.rfind('/') + 1); }

state_place::verdict state_place::look() const {
  verdict v;
  const auto call_it = [&v](found is, std::string why) {
    v.is = is;
    v.why = std::move(why);
    return v;
  };
  // Not through a symbolic link, and without waiting for the other end of a FIFO.
  const unique_fd fd(
      ::openat(directory_.get(), name().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!fd && errno == ENOENT) return v;
  if (!fd && errno == ELOOP) return call_it(found::foreign, "is a symbolic link");
  struct stat s {};
  if (!fd || ::fstat(fd.get(), &s) != 0) return call_it(found::foreign, "cannot be read: " + last_error().message());
  v.device = s.st_dev;
  v.inode = s.st_ino;
  if (!S_ISREG(s.st_mode)) return call_it(found::foreign, "is no regular file");
  // Root must not be led by a file that a user prepared, nor a user by another one's. What root made is trusted.
  if (s.st_uid != ::geteuid() && s.st_uid != 0) return call_it(found::foreign, "belongs to another user");
  if (s.st_nlink > 1) return call_it(found::foreign, "has several names (hard links)");
  if (s.st_size == 0) return call_it(found::empty, {});
  if (s.st_size > largest) return call_it(found::damaged, "is larger than 64 MiB");
  return judge_header(fd.get(), std::move(v));
}

std::error_code state_place::create() const {
  // mknod and not open: there is never a descriptor whose closing could drop locks, nor a moment with a wider mode.
  if (::mknodat(directory_.get(), name().c_str(), S_IFREG | S_IRUSR | S_IWUSR, 0) == 0 || errno == EEXIST) return {};
  return last_error();
}

std::error_code state_place::move_aside(const verdict& judged) const {
  if (!lock_directory(directory_.get(), LOCK_EX)) return errno_code(EAGAIN);
  struct stat s {};
  if (::fstatat(directory_.get(), name().c_str(), &s, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? std::error_code() : last_error();
  if (s.st_dev != judged.device || s.st_ino != judged.inode) return {};
  // The journal first: one that stayed behind would be played into the next file of this name.
  const int in = directory_.get();
  const std::string aside = name() + ".damaged";
  if (::renameat(in, (name() + "-journal").c_str(), in, (aside + "-journal").c_str()) != 0) {
    if (errno != ENOENT) return last_error();
    ::unlinkat(in, (aside + "-journal").c_str(), 0);
  }
  return ::renameat(in, name().c_str(), in, aside.c_str()) == 0 ? std::error_code() : last_error();
}

}  // namespace lbresolve::io
