#include "core/rebinding_filter.hpp"

#include "core/private_address.hpp"

#include <algorithm>
#include <utility>

namespace lbresolve::core {

bool rebinding_filter::allows(const name& n) const noexcept {
  return std::any_of(allowed_.begin(), allowed_.end(), [&](const name& domain) { return n.is_within(domain); });
}

void rebinding_filter::drop_private(std::vector<address>& from, std::vector<std::string>& dropped) const {
  std::erase_if(from, [&](const address& a) {
    const char* kind = private_kind(a, nat64_);
    if (kind != nullptr) dropped.push_back(a.to_string() + " (" + kind + ")");
    return kind != nullptr;
  });
}

std::shared_ptr<const answer> rebinding_filter::filtered(std::shared_ptr<const answer> what,
                                                         std::vector<std::string>& dropped) const {
  if (what->is != answer::kind::positive) return what;
  const auto is_private = [&](const address& a) { return private_kind(a, nat64_) != nullptr; };
  const auto any_private = [&](const std::vector<address>& all) {
    return std::any_of(all.begin(), all.end(), is_private);
  };
  // Nearly always there is nothing to do, and the answer is shared.
  if (!any_private(what->addresses) && std::none_of(what->bindings.begin(), what->bindings.end(),
                                                    [&](const service_binding& b) { return any_private(b.hints); }))
    return what;
  auto rest = std::make_shared<answer>(*what);
  drop_private(rest->addresses, dropped);
  for (service_binding& b : rest->bindings) drop_private(b.hints, dropped);
  if (rest->addresses.empty() && rest->bindings.empty() && rest->services.empty()) rest->is = answer::kind::nodata;
  return rest;
}

}  // namespace lbresolve::core
