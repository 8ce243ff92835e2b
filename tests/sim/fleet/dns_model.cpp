#include "sim/fleet/dns_model.hpp"

#include <algorithm>

namespace lbresolve::fleet {

const dns_answer& dns_model::ask(std::size_t client, const std::vector<server_model>& servers, time_point now,
                                 core::random_source& random) {
  auto& cached = caches_[client % caches_.size()];
  if (cached.until <= now) cached = {fresh(servers, now, random), now + setup_.ttl};
  return cached;
}

std::vector<server_id> dns_model::fresh(const std::vector<server_model>& servers, time_point now,
                                        core::random_source& random) {
  ++questions_;
  std::vector<server_id> out;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    const auto then = now - setup_.lag;
    if (!setup_.filters || servers[i].outage_at(then) == nullptr) out.push_back(static_cast<server_id>(i));
  }
  // A DNS server whose checks all fail answers with everything.
  if (out.empty()) {
    for (std::size_t i = 0; i < servers.size(); ++i) out.push_back(static_cast<server_id>(i));
  }
  const auto shift = static_cast<std::ptrdiff_t>(turn_ % out.size());
  if (setup_.gives == dns_setup::order::rotated) std::rotate(out.begin(), out.begin() + shift, out.end());
  if (setup_.gives == dns_setup::order::shuffled) core::shuffle(out.begin(), out.end(), random);
  const bool part = setup_.subset != 0 && setup_.subset < out.size();
  if (part) out.resize(setup_.subset);
  turn_ += part ? setup_.subset : 1;
  return out;
}

}  // namespace lbresolve::fleet
