// resolv.conf and the hosts file, read again when they change.
#pragma once

#include "core/system_settings.hpp"
#include "core/time.hpp"

#include <sys/stat.h>

#include <memory>
#include <mutex>
#include <string>

namespace lbresolve::io {

/// The system's settings as of now. Thread-safe.
class system_config {
 public:
  /// @param hosts empty: no hosts file
  system_config(std::string resolv_conf, std::string hosts);

  /// What the files say. They are looked at once a second at most; the value is the same object until one changes.
  /// A missing resolv.conf means 127.0.0.1 (resolv.conf(5)), a missing hosts file means no hosts.
  std::shared_ptr<const core::system_settings> current(core::time_point now);

  static constexpr core::duration look_every = std::chrono::seconds{1};

 private:
  /// Tells one state of a file from another; all zero where there is none.
  struct fingerprint {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modified_ns = 0;
    friend bool operator==(const fingerprint&, const fingerprint&) = default;
  };
  static fingerprint look_at(const std::string& path);

  const std::string resolv_conf_;
  const std::string hosts_;
  std::mutex mutex_;
  core::time_point looked_at_{};
  fingerprint resolv_conf_seen_;
  fingerprint hosts_seen_;
  std::shared_ptr<const core::system_settings> current_;
};

}  // namespace lbresolve::io
