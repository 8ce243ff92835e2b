#include "io/tls_session_cache.hpp"

#include <algorithm>

namespace lbresolve::io {

void tls_session_cache::put(const std::string& key, ssl_session_pointer session) {
  if (born_.is_inherited()) return;
  const std::lock_guard lock(mutex_);
  std::size_t of_this_key = 0;
  std::erase_if(sessions_, [&](const auto& s) { return s.first == key && ++of_this_key >= most_of_one_key; });
  sessions_.emplace_front(key, std::move(session));
  if (sessions_.size() > most) sessions_.pop_back();
}

ssl_session_pointer tls_session_cache::take(const std::string& key) {
  if (born_.is_inherited()) return nullptr;
  const std::lock_guard lock(mutex_);
  const auto at = std::find_if(sessions_.begin(), sessions_.end(), [&](const auto& s) { return s.first == key; });
  if (at == sessions_.end()) return nullptr;
  if (SSL_SESSION_get_protocol_version(at->second.get()) < TLS1_3_VERSION) {
    SSL_SESSION_up_ref(at->second.get());
    return ssl_session_pointer(at->second.get());
  }
  ssl_session_pointer out = std::move(at->second);
  sessions_.erase(at);
  return out;
}

bool tls_session_cache::has(const std::string& key) {
  if (born_.is_inherited()) return false;
  const std::lock_guard lock(mutex_);
  return std::any_of(sessions_.begin(), sessions_.end(), [&](const auto& s) { return s.first == key; });
}

}  // namespace lbresolve::io
