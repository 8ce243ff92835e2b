#include "core/probe_operation.hpp"

#include <utility>

namespace lbresolve::core {

operation_action probe_operation::next(time_point now, random_source& random) {
  using step = operation_action::kind;
  if (!started_ && !fact_) {
    started_ = now;
    open_ = true;
    return {.is = step::open, .to = to_};
  }
  if (!fact_ && now < deadline_) return {.is = step::wait, .until = deadline_};
  if (!fact_) end(attempt_fact::kind::failed, std::make_error_code(std::errc::timed_out), now);
  if (std::exchange(open_, false)) return {.is = step::close};
  if (!std::exchange(told_, true)) memory_->on_probe(*fact_, now, random);
  return {.is = step::done};
}

void probe_operation::on_failed(std::size_t, const attempt_failure& how, time_point now) {
  open_ = false;
  end(attempt_fact::kind::failed, how.code, now);
}

void probe_operation::end(attempt_fact::kind how, std::error_code code, time_point now) {
  if (fact_) return;
  fact_ = attempt_fact{
      .at = to_, .is = how, .took = now - started_.value_or(now), .code = code, .patience = duration::max()};
}

}  // namespace lbresolve::core
