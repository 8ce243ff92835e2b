// What an observer is told, and where.
#include "resolver_impl.hpp"

#include "core/events.hpp"
#include "io/fork.hpp"

#include <utility>

namespace lbresolve {

// Never inside the library: on the loop's thread as the last thing of a round, as callbacks are.
void resolver::impl::tell_observer(std::function<void(observer&)> what) {
  auto told = [to = settings_.chosen.observer, what = std::move(what)] { what(*to); };
  if (on_loop_thread()) return loop_->tell(std::move(told));
  io::fork_shelter::of_this_thread::call_outside(told);
}

void resolver::impl::observe_memory() {
  memory_.set_observer([this](const health_event& e) { tell_observer([e](observer& o) { o.on_health(e); }); },
                       [this](const probe_event& e) { tell_observer([e](observer& o) { o.on_probe(e); }); });
}

void resolver::impl::tell_lookups(const trace* story) {
  if (story == nullptr) return;
  tell_observer([events = core::lookups_of(*story)](observer& o) {
    for (const lookup_event& e : events) o.on_lookup(e);
  });
}

void resolver::impl::tell_story(const result<resolution>& of) {
  tell_lookups(of ? of.value().story.get() : of.error().story());
}

void resolver::impl::tell_story(const result<explanation>& of) {
  tell_lookups(of ? of.value().story.get() : of.error().story());
}

void resolver::impl::tell_story(const result<probe_report>& of) {
  tell_lookups(of ? of.value().story.get() : of.error().story());
  if (!of) return;
  tell_observer([events = core::probes_of(of.value().attempts)](observer& o) {
    for (const probe_event& e : events) o.on_probe(e);
  });
}

template <class T>
resolver::impl::conclusion<T> resolver::impl::observed(result<T> (*f)(core::operation&, io::connected_socket)) {
  if (!settings_.chosen.observer) return f;
  return [this, f](core::operation& work, io::connected_socket winner) {
    auto out = f(work, std::move(winner));
    tell_story(out);
    return out;
  };
}

template resolver::impl::conclusion<resolution> resolver::impl::observed(result<resolution> (*)(core::operation&,
                                                                                                io::connected_socket));
template resolver::impl::conclusion<explanation> resolver::impl::observed(
    result<explanation> (*)(core::operation&, io::connected_socket));
template resolver::impl::conclusion<probe_report> resolver::impl::observed(
    result<probe_report> (*)(core::operation&, io::connected_socket));

resolver::impl::conclusion<connection> resolver::impl::observed_connect(conclusion<connection> f,
                                                                        const connect_options& o) {
  if (!settings_.chosen.observer) return f;
  const auto by = o.policy.value_or(settings_.chosen.selection.policy);
  const auto mode = o.mode.value_or(settings_.chosen.selection.mode);
  return [this, f = std::move(f), by, mode](core::operation& work, io::connected_socket winner) {
    auto out = f(work, std::move(winner));
    const trace* const story = out ? out.value().story() : out.error().story();
    if (story == nullptr) return out;
    tell_lookups(story);
    tell_observer(
        [attempts = core::attempts_of(*story),
         choice = core::choice_of(*story, by, mode, out ? std::error_code() : out.error().code())](observer& told) {
          for (const attempt_event& e : attempts) told.on_attempt(e);
          told.on_choice(choice);
        });
    return out;
  };
}

}  // namespace lbresolve
