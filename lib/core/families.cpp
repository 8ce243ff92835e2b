#include "core/families.hpp"

namespace lbresolve::core {
namespace {

bool within(time_point when, duration limit, time_point now) noexcept {
  return when != time_point::min() && now - when <= limit;
}

}  // namespace

void families_memory::on_race(family_evidence& of_name, std::uint64_t name, const race_facts& facts,
                              time_point now) noexcept {
  for (const family f : {family::ipv4, family::ipv6}) {
    const std::size_t i = index_of(f);
    if (facts.won[i]) of_name.failed[i] = time_point::min();
    if (facts.won[i] || !facts.failed[i] || !facts.won[1 - i]) continue;
    of_name.failed[i] = now;
    network_evidence& n = by_family_[i];
    const bool another = n.name != name && n.server != facts.failed[i];
    if (within(n.shown, together, now) && another && !within(n.success, together, now)) n.demoted = true;
    n.name = name;
    n.server = facts.failed[i];
    n.shown = now;
  }
}

void families_memory::on_success(family f, time_point now) noexcept {
  network_evidence& n = by_family_[index_of(f)];
  n.success = now;
  n.demoted = false;
}

// A success of the family since then, anywhere on the network, does not clear a name: there it may still be broken. The
// name's own success does (on_race, on a probe's success).
bool families_memory::is_demoted(const family_evidence& of_name, family f) const noexcept {
  return by_family_[index_of(f)].demoted || of_name.failed[index_of(f)] != time_point::min();
}

}  // namespace lbresolve::core
