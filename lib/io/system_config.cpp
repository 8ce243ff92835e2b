#include "io/system_config.hpp"

#include <net/if.h>

#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

namespace lbresolve::io {

namespace {

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (path.empty() || !file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

core::resolv_conf read_resolv_conf(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return core::resolv_conf::fallback();
  core::resolv_conf conf = core::parse_resolv_conf(*text);
  conf.resolve_scopes([](const std::string& interface) { return ::if_nametoindex(interface.c_str()); });
  return conf;
}

core::hosts_file read_hosts(const std::string& path) {
  const auto text = read_file(path);
  return text ? core::hosts_file::parse(*text) : core::hosts_file();
}

}  // namespace

system_config::system_config(std::string resolv_conf, std::string hosts)
    : resolv_conf_(std::move(resolv_conf)), hosts_(std::move(hosts)) {}

system_config::fingerprint system_config::look_at(const std::string& path) {
  struct stat s {};
  if (path.empty() || ::stat(path.c_str(), &s) != 0) return {};
  return {s.st_dev, s.st_ino, s.st_size, std::int64_t{s.st_mtim.tv_sec} * 1'000'000'000 + s.st_mtim.tv_nsec};
}

std::shared_ptr<const core::system_settings> system_config::current(core::time_point now) {
  const std::lock_guard lock(mutex_);
  if (current_ && now - looked_at_ < look_every) return current_;
  looked_at_ = now;
  const fingerprint conf = look_at(resolv_conf_);
  const fingerprint hosts = look_at(hosts_);
  if (current_ && conf == resolv_conf_seen_ && hosts == hosts_seen_) return current_;

  auto fresh = std::make_shared<core::system_settings>();
  fresh->dns = current_ && conf == resolv_conf_seen_ ? current_->dns : read_resolv_conf(resolv_conf_);
  fresh->hosts = current_ && hosts == hosts_seen_ ? current_->hosts : read_hosts(hosts_);
  resolv_conf_seen_ = conf;
  hosts_seen_ = hosts;
  current_ = std::move(fresh);
  return current_;
}

}  // namespace lbresolve::io
