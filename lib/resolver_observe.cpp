// Pickers and watches: targets that are kept an eye on, on the loop's thread.
#include "resolver_impl.hpp"

#include "core/member_changes.hpp"
#include "core/target.hpp"
#include "io/clock.hpp"
#include "io/pick_board.hpp"
#include "io/quick_random.hpp"
#include "io/system_random.hpp"
#include "mailbox.hpp"

#include <algorithm>
#include <utility>

namespace lbresolve {

namespace {

error cancelled(const char* what) {
  return error(make_error_code(errc::cancelled), std::string("the resolver was destroyed during the ") + what);
}

}  // namespace

result<io::member_watch::subject> resolver::impl::make_subject(std::string_view target, const connect_options& o) {
  LBRESOLVE_TRY(what, core::parse_target(target, true));
  BOOST_OUTCOME_TRYV(core::check(o));
  know_network();
  io::member_watch::subject s;
  s.memory = core::memory_for(settings_, memory_, what, o.mode.value_or(settings_.chosen.selection.mode));
  connect_options kept = o;
  kept.interrupted = nullptr;  // of the call that waits for the first lookup, not of those to come
  s.look_up = [this, text = std::string(target), kept = std::move(kept)](bool use_cache) {
    connect_options settings = kept;
    settings.use_cache = use_cache && kept.use_cache;
    std::shared_ptr<const core::system_settings> system;
    auto work = std::move(prepare_explain(text, settings, system).assume_value());  // checked above
    use_upstreams(system);
    return work;
  };
  s.is_wanted = [] { return true; };
  s.on_update = [](const auto&) {};
  s.on_failure = [](const auto&) {};
  if (settings_.chosen.observer) s.on_looked_up = [this](const auto& found) { tell_story(found); };
  return s;
}

operation resolver::impl::observe(io::member_watch::subject s, std::function<void()> on_shut_down,
                                  const std::shared_ptr<id>& told_number) {
  id number = 0;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || !start_thread()) return {};
    number = ++last_id_;
    calls_.emplace(number, std::move(on_shut_down));
  }
  {
    const std::lock_guard lock(learned_mutex_);
    observing_ = true;
  }
  memory_.listen(true);
  if (told_number) *told_number = number;
  loop_->post([this, number, shared = std::make_shared<io::member_watch::subject>(std::move(s))] {
    watch_network();
    members_->add(number, std::move(*shared));
  });
  return {number};
}

void resolver::impl::stop_observing(id number) {
  claim(number);
  loop_->post([this, number] { members_->remove(number); });
}

// ---- Pickers ------------------------------------------------------------------------------------------------------

std::optional<io::board_plan> resolver::impl::plan_for(const std::vector<core::candidate>& members,
                                                       const core::order_settings& ordering) {
  const core::front_row row = core::front_of(members, ordering, io::thread_random());
  if (row.members.empty()) return std::nullopt;
  io::board_plan out;
  out.policy = ordering.policy;
  const auto add = [&](const core::pick_choice& how) {
    const endpoint& at = row.members[how.index].endpoint;
    out.choices.push_back({.how = how, .at = at, .busy = memory_.in_flight(at)});
  };
  const bool in_turn =
      ordering.policy == policy::round_robin || ordering.policy == policy::hash || ordering.policy == policy::in_order;
  if (in_turn) {
    for (std::uint32_t i = 0; i < row.members.size(); ++i) add({i, {}});
    return out;
  }
  core::balance_rules rules = ordering.balance;
  if (ordering.policy == policy::fastest) rules.band = 0;
  const bool by_weight = row.weighted || ordering.policy == policy::random;
  const core::pick_plan plan(row.contenders, row.costs, by_weight, rules);
  out.head = plan.head();
  for (const core::pick_choice& c : plan.choices()) add(c);
  return out;
}

/// Observes a target and waits until its first plan has been published; each later one is published too, none once it
/// has lapsed.
result<bool> resolver::impl::begin_picking(std::string_view target, const connect_options& o,
                                           std::function<bool()> is_wanted, publisher publish) {
  if (on_loop_thread())
    return error(make_error_code(errc::unsupported), "a picker made inside a callback would wait for itself");
  LBRESOLVE_TRY(subject, make_subject(target, o));
  auto box = std::make_shared<mailbox<bool>>();
  subject.is_wanted = std::move(is_wanted);
  subject.on_update = [this, box, publish = std::move(publish), ordering = core::ordering_for(settings_, o),
                       text = std::string(target)](const auto& members) {
    auto plan = plan_for(members, ordering);
    const bool can_pick = plan.has_value();
    publish(std::move(plan));
    if (can_pick)
      box->put(true);
    else
      box->put(error(make_error_code(errc::no_addresses), text + " has no address to pick"));
  };
  subject.on_failure = [box](const error& e) { box->put(e); };
  const operation begun = observe(std::move(subject), [box] { box->put(cancelled("lookup")); });
  if (!begun) return error(make_error_code(errc::local_resources), "the resolver's thread could not be started");
  if (!wait_for_mail(*box, o.interrupted)) {
    stop_observing(begun.id);
    return error(make_error_code(errc::cancelled), "the lookup was interrupted");
  }
  auto first = box->take();
  claim(begun.id);
  if (!first) stop_observing(begun.id);
  return first;
}

result<picker> resolver::impl::make_picker(std::string_view target, const connect_options& o) {
  auto board = std::make_shared<io::pick_board>();
  BOOST_OUTCOME_TRYV(begin_picking(
      target, o, [board] { return board->take_use(); },
      [board](std::optional<io::board_plan> p) {
        board->publish(p ? std::make_shared<const io::board_plan>(std::move(*p)) : nullptr);
      }));
  return picker(std::move(board), io::thread_random().next());
}

result<endpoint> resolver::impl::pick(std::string_view target) {
  if (const auto picked = plans_.pick(target, io::thread_quick_random())) return *picked;
  const auto alive = shared_from_this();  // the resolver may be destroyed while this waits
  const std::string name(target);
  BOOST_OUTCOME_TRYV(begin_picking(
      target, {}, [this, name] { return plans_.take_use(name); },
      [this, name](std::optional<io::board_plan> p) { plans_.publish(name, std::move(p)); }));
  if (const auto picked = plans_.pick(target, io::thread_quick_random())) return *picked;
  return error(make_error_code(errc::no_addresses), name + " has no address to pick");
}

// ---- Watches ------------------------------------------------------------------------------------------------------

result<watch_id> resolver::impl::watch(std::string_view target, watch_callback told, const connect_options& o) {
  LBRESOLVE_TRY(subject, make_subject(target, o));
  auto number = std::make_shared<id>(0);
  subject.on_update = [this, number, told = std::move(told),
                       seen = std::make_shared<std::vector<core::seen_member_state>>()](const auto& members) {
    for (const member_change& change : core::changes_since(*seen, members)) {
      loop_->tell([this, number, told, change] {
        {
          const std::lock_guard lock(mutex_);
          if (!calls_.contains(*number)) return;
        }
        told(change);
      });
    }
  };
  const operation begun = observe(std::move(subject), nullptr, number);
  if (!begun) return error(make_error_code(errc::local_resources), "the resolver's thread could not be started");
  return watch_id{begun.id};
}

bool resolver::impl::unwatch(watch_id which) noexcept {
  if (!claim(which.id)) return false;
  loop_->post([this, which] { members_->remove(which.id); });
  return true;
}

}  // namespace lbresolve
