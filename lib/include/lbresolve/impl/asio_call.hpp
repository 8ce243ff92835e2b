// A call of lbresolve/asio.hpp under way: from the resolver's thread to the handler's executor, exactly once. Not to be
// included by programs.
#pragma once

#include <lbresolve/impl/asio_choice.hpp>
#include <lbresolve/resolver.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <unordered_set>
#include <utility>

namespace lbresolve {
inline namespace LBRESOLVE_ASIO_NAMESPACE {
namespace asio_impl {

/// What the list of calls knows of one.
class pending_call {
 public:
  virtual ~pending_call() = default;
  /// The context goes: destroys the handler without calling it, as Asio does with its own.
  virtual void abandon() noexcept = 0;
};

/// The calls whose handlers belong to one execution context. It outlives the context, so that a call which ends later
/// finds out that nobody waits.
struct call_list {
  std::mutex mutex;
  bool closed = false;                                      // guarded by mutex, as all that calls hold is
  std::unordered_set<std::shared_ptr<pending_call>> calls;  // until the handler is called

  void close() noexcept {
    std::unordered_set<std::shared_ptr<pending_call>> left;
    {
      const std::lock_guard lock(mutex);
      closed = true;
      left.swap(calls);
    }
    for (const auto& call : left) call->abandon();
  }
};

/// Tells the list when its context is destroyed: what a resolver does then must not reach the context any more.
class call_service : public net::execution_context::service {
 public:
  static inline net::execution_context::id id;

  explicit call_service(net::execution_context& context) : service(context), list_(std::make_shared<call_list>()) {}
  const std::shared_ptr<call_list>& list() const noexcept { return list_; }

 private:
  void shutdown() override { list_->close(); }

  std::shared_ptr<call_list> list_;
};

template <class Executor>
std::shared_ptr<call_list> list_of(const Executor& executor) {
  if constexpr (net::can_query<const Executor&, net::execution::context_t>::value)
    return net::use_service<call_service>(net::query(executor, net::execution::context)).list();
  else
    return net::use_service<call_service>(executor.context()).list();
}

/// @tparam Value what the resolver gives. @tparam Deliver calls a handler with it: deliver(handler, executor, outcome)
template <class Value, class Handler, class Deliver>
class call : public pending_call, public std::enable_shared_from_this<call<Value, Handler, Deliver>> {
 public:
  call(resolver& asked, Handler handler)
      : asked_(asked),
        list_(list_of(net::get_associated_executor(handler))),
        waiting_(std::make_unique<waiting>(std::move(handler))) {}

  /// @param begin takes the resolver's callback and gives its operation
  template <class Begin>
  void start(Begin begin) {
    {
      const std::lock_guard lock(list_->mutex);
      if (list_->closed) return;  // begun by a destructor while the context goes
      list_->calls.insert(this->shared_from_this());
    }
    connect_slot();
    auto back = std::make_shared<way_back>(this->shared_from_this());
    const std::weak_ptr<way_back> still = back;
    const operation begun =
        begin([back = std::move(back)](result<Value> outcome) { back->from->finish(std::move(outcome)); });
    const std::lock_guard lock(list_->mutex);
    operation_ = begun;
    if (!still.expired()) return;
    finish_locked(error(make_error_code(errc::local_resources), "the resolver's thread could not be started"));
  }

  void abandon() noexcept override {
    std::unique_ptr<waiting> left;  // destroyed after the lock is gone: the handler's destructor is the program's
    const std::lock_guard lock(list_->mutex);
    left.swap(waiting_);
  }

 private:
  /// All that belongs to the handler's context: not an executor of it may be kept once it is gone.
  struct waiting {
    explicit waiting(Handler h) : work(net::get_associated_executor(h)), handler(std::move(h)) {}
    net::executor_work_guard<net::associated_executor_t<Handler>>
        work;  // the context runs until the handler was called
    Handler handler;
  };

  /// What the resolver's callback holds. A resolver that is destroyed drops its callbacks; their handlers are to hear
  /// of it all the same, as a coroutine would wait for ever.
  struct way_back {
    explicit way_back(std::shared_ptr<call> c) noexcept : from(std::move(c)) {}
    way_back(const way_back&) = delete;
    way_back& operator=(const way_back&) = delete;
    ~way_back() { from->drop(); }
    std::shared_ptr<call> from;
  };

  void finish(result<Value> outcome) {
    const std::lock_guard lock(list_->mutex);
    finish_locked(std::move(outcome));
  }

  // Before start() knows the operation, it is start() that sees what was dropped.
  void drop() {
    const std::lock_guard lock(list_->mutex);
    if (operation_)
      finish_locked(error(make_error_code(errc::cancelled), "the resolver was destroyed during the call"));
  }

  // Under the lock, so that the context cannot go between the question whether it is there and the post.
  void finish_locked(result<Value> outcome) {
    if (outcome_ || !waiting_) return;
    outcome_.emplace(std::move(outcome));
    net::post(waiting_->work.get_executor(), [self = this->shared_from_this()] { self->invoke(); });
  }

  // On the handler's executor.
  void invoke() {
    std::unique_ptr<waiting> called;
    {
      const std::lock_guard lock(list_->mutex);
      list_->calls.erase(this->shared_from_this());
      called.swap(waiting_);
    }
    if (!called) return;
    disconnect_slot(called->handler);
    Deliver::deliver(std::move(called->handler), called->work.get_executor(), std::move(*outcome_));
  }

#if LBRESOLVE_ASIO_HAS_CANCELLATION
  void connect_slot() {
    auto slot = net::get_associated_cancellation_slot(waiting_->handler);
    if (!slot.is_connected()) return;
    slot.assign([weak = this->weak_from_this()](net::cancellation_type type) {
      if (type == net::cancellation_type::none) return;
      if (const auto self = weak.lock()) self->cancel();
    });
  }

  static void disconnect_slot(const Handler& handler) {
    auto slot = net::get_associated_cancellation_slot(handler);
    if (slot.is_connected()) slot.clear();
  }

  // Terminal, partial and total are one: a connect that is cancelled has done nothing that can be seen.
  void cancel() {
    const std::lock_guard lock(list_->mutex);
    if (outcome_ || !waiting_ || !asked_.cancel(operation_)) return;
    finish_locked(error(make_error_code(errc::cancelled), "the call was cancelled"));
  }
#else
  void connect_slot() {}
  static void disconnect_slot(const Handler&) {}
#endif

  resolver& asked_;
  const std::shared_ptr<call_list> list_;
  std::unique_ptr<waiting> waiting_;  // null once the handler is called, or its context gone
  operation operation_;
  std::optional<result<Value>> outcome_;  // set once
};

/// What async_initiate() keeps until the token wants to begin: a resolver, and what to ask of it.
template <class Value, class Deliver, class Options>
struct initiation {
  resolver* asked;

  template <class Handler>
  void operator()(Handler&& handler, std::string target, Options settings) const {
    auto made = std::make_shared<call<Value, std::decay_t<Handler>, Deliver>>(*asked, std::forward<Handler>(handler));
    made->start([&](auto done) {
      if constexpr (std::is_same_v<Value, connection>)
        return asked->async_connect(target, settings, std::move(done));
      else
        return asked->async_resolve(target, settings, std::move(done));
    });
  }
};

}  // namespace asio_impl
}  // namespace LBRESOLVE_ASIO_NAMESPACE
}  // namespace lbresolve
