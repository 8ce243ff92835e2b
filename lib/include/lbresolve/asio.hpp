// Lookups and connects for Asio: any completion token, on the executor that goes with it. Header-only, and optional.
//
// Standalone Asio >= 1.18 or Boost >= 1.74, whichever was included before or is found first; LBRESOLVE_ASIO_STANDALONE
// or LBRESOLVE_ASIO_BOOST, defined before this header, says which.
#pragma once

#include <lbresolve/impl/asio_call.hpp>
#include <lbresolve/impl/asio_choice.hpp>
#include <lbresolve/resolver.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <concepts>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace lbresolve {
inline namespace LBRESOLVE_ASIO_NAMESPACE {

/// For Asio's own functions.
inline net::ip::tcp::endpoint to_asio(const endpoint& e) {
  const auto octets = e.address.bytes();
  if (e.address.is_v4()) {
    net::ip::address_v4::bytes_type v4{};
    std::copy(octets.begin(), octets.end(), v4.begin());
    return {net::ip::address_v4(v4), e.port};
  }
  net::ip::address_v6::bytes_type v6{};
  std::copy(octets.begin(), octets.end(), v6.begin());
  return {net::ip::address_v6(v6, e.address.scope()), e.port};
}

/// What async_connect gives. Move-only.
struct connected {
  net::ip::tcp::socket socket;  ///< open, on the handler's executor; closed where the connect failed
  endpoint peer;
  tls_stream tls;  ///< where `ready` was tls: reads and writes on `socket`, whose async_wait() says when
  std::shared_ptr<const trace> story;
  error why;  ///< where the connect failed: the whole error, whose code alone goes to the handler
};

/// What async_resolve gives.
struct resolved : resolution {
  error why;  ///< as above

  /// In the order in which connect would try them, for the range form of Asio's own async_connect().
  std::vector<net::ip::tcp::endpoint> tcp_endpoints() const {
    std::vector<net::ip::tcp::endpoint> all;
    all.reserve(endpoints.size());
    for (const endpoint& e : endpoints) all.push_back(to_asio(e));
    return all;
  }
};

/// Makes the connection's descriptor a socket of Asio's; closes it where Asio refuses. A TLS session stays in `from`.
inline net::ip::tcp::socket release_socket(connection& from, const net::any_io_executor& to, net_error_code& failed) {
  net::ip::tcp::socket socket(to);
  const auto protocol = from.peer().address.is_v4() ? net::ip::tcp::v4() : net::ip::tcp::v6();
  socket.assign(protocol, from.fd(), failed);
  if (failed)
    from.close();
  else
    static_cast<void>(from.release());
  return socket;
}

namespace asio_impl {

/// The library's own result, whole.
struct as_result {
  template <class Handler, class Executor, class Value>
  static void deliver(Handler&& handler, const Executor&, result<Value> outcome) {
    std::forward<Handler>(handler)(std::move(outcome));
  }
};

/// Where a socket may live: not every executor that a token brings along is fit for that (that of a future is not).
template <class Executor>
net::any_io_executor socket_executor(const Executor& executor) {
  if constexpr (std::is_constructible_v<net::any_io_executor, const Executor&>)
    return net::any_io_executor(executor);
  else
    return net::any_io_executor(net::system_executor());
}

struct as_connected {
  template <class Handler, class Executor>
  static void deliver(Handler&& handler, const Executor& executor, result<connection> outcome) {
    const auto here = socket_executor(executor);
    if (!outcome) {
      const error& why = outcome.error();
      return std::forward<Handler>(handler)(to_asio(why.code()),
                                            connected{net::ip::tcp::socket(here), {}, {}, why.shared_story(), why});
    }
    connection& made = outcome.value();
    net_error_code failed;
    connected c{release_socket(made, here, failed), made.peer(), std::move(made.tls()), made.shared_story(), {}};
    if (failed) {
      c.tls = {};
      c.why = error(std::error_code(failed.value(), std::system_category()),
                    "the connection could not be given to Asio: " + failed.message(), c.story);
    }
    std::forward<Handler>(handler)(failed, std::move(c));
  }
};

struct as_resolved {
  template <class Handler, class Executor>
  static void deliver(Handler&& handler, const Executor&, result<resolution> outcome) {
    resolved r;
    net_error_code failed;
    if (outcome) {
      static_cast<resolution&>(r) = std::move(outcome).value();
    } else {
      r.why = outcome.error();
      r.story = r.why.shared_story();
      failed = to_asio(r.why.code());
    }
    std::forward<Handler>(handler)(failed, std::move(r));
  }
};

template <class Signature, class Value, class Deliver, class Options, class Token>
auto begin(resolver& r, std::string_view target, const Options& settings, Token&& token) {
  return net::async_initiate<Token, Signature>(initiation<Value, Deliver, Options>{&r}, token, std::string(target),
                                               settings);
}

template <class T>
concept settings_of_a_call =
    std::same_as<std::decay_t<T>, connect_options> || std::same_as<std::decay_t<T>, resolve_options>;

}  // namespace asio_impl

// The functions below complete exactly once, on the executor associated with the token's handler, never inside the
// call, and keep that executor's context at work until then. Without an associated executor that is the
// system_executor, as for everything of Asio's that belongs to no I/O object: `bind_executor(io, token)` says where,
// for the socket too.
//
// The resolver stays where it is until they complete: it must not be moved from. Destroying it completes them with
// operation_aborted. A context that is destroyed first drops their handlers. A resolver with `loop::caller` needs an
// asio_driver, or somebody else who calls process().
//
// In a coroutine, give settings a name: g++ 12 destroys a braced argument inside a co_await expression twice.
//
// Cancellation (Asio >= 1.19, Boost >= 1.77): terminal, partial and total all complete at once with operation_aborted.

/// resolver::connect, with the signature void(error_code, connected). Codes of the library keep their category:
/// `ec == errc::timed_out`. Tokens that throw lose all but the code; redirect_error, as_tuple and callbacks keep `why`.
template <class Token>
auto async_connect(resolver& r, std::string_view target, const connect_options& settings, Token&& token) {
  using signature = void(net_error_code, connected);
  return asio_impl::begin<signature, connection, asio_impl::as_connected>(r, target, settings,
                                                                          std::forward<Token>(token));
}

template <class Token>
requires(!asio_impl::settings_of_a_call<Token>) auto async_connect(resolver& r, std::string_view target,
                                                                   Token&& token) {
  return async_connect(r, target, connect_options{}, std::forward<Token>(token));
}

/// The same with the signature void(result<connection>): the library's own connection, and the whole error. Never
/// throws.
template <class Token>
auto async_connect_result(resolver& r, std::string_view target, const connect_options& settings, Token&& token) {
  return asio_impl::begin<void(result<connection>), connection, asio_impl::as_result>(r, target, settings,
                                                                                      std::forward<Token>(token));
}

/// resolver::resolve, with the signature void(error_code, resolved).
template <class Token>
auto async_resolve(resolver& r, std::string_view target, const resolve_options& settings, Token&& token) {
  return asio_impl::begin<void(net_error_code, resolved), resolution, asio_impl::as_resolved>(
      r, target, settings, std::forward<Token>(token));
}

template <class Token>
requires(!asio_impl::settings_of_a_call<Token>) auto async_resolve(resolver& r, std::string_view target,
                                                                   Token&& token) {
  return async_resolve(r, target, resolve_options{}, std::forward<Token>(token));
}

/// The same with the signature void(result<resolution>).
template <class Token>
auto async_resolve_result(resolver& r, std::string_view target, const resolve_options& settings, Token&& token) {
  return asio_impl::begin<void(result<resolution>), resolution, asio_impl::as_result>(r, target, settings,
                                                                                      std::forward<Token>(token));
}

/// Runs a resolver with `loop::caller` on an executor: watches fd() and calls process(). Its context has work as long
/// as this watches, so that io_context::run() returns only after stop() or the end of this. Move-only. Destroy it
/// before the resolver and before the context, as any I/O object.
///
/// Thread-safety: stop() may be called from any thread, also inside callbacks; process() runs on one thread at a time.
class asio_driver {
 public:
  /// Fails with errc::unsupported on a resolver that has a thread of its own, and where descriptors have run out.
  static result<asio_driver> create(const net::any_io_executor& on, resolver& driven) {
    if (driven.fd() < 0)
      return error(make_error_code(errc::unsupported),
                   "the resolver runs on a thread of its own: make it with loop::caller to drive it");
    auto made = std::make_shared<watcher>(on, driven);
    if (auto failed = made->open(driven.fd()); !failed) return failed.error();
    made->wait();
    return asio_driver(std::move(made));
  }

  template <std::derived_from<net::execution_context> Context>
  static result<asio_driver> create(Context& on, resolver& driven) {
    return create(net::any_io_executor(on.get_executor()), driven);
  }

  asio_driver(asio_driver&&) noexcept = default;
  asio_driver& operator=(asio_driver&& other) noexcept {
    if (this != &other) stop();
    watcher_ = std::move(other.watcher_);
    return *this;
  }
  ~asio_driver() { stop(); }

  /// From its return on process() is not called any more.
  void stop() noexcept {
    if (watcher_) watcher_->stop();
    watcher_.reset();
  }

 private:
  class watcher : public std::enable_shared_from_this<watcher> {
   public:
    watcher(const net::any_io_executor& on, resolver& driven) : driven_(&driven), descriptor_(net::make_strand(on)) {}

    // A duplicate, as Asio closes what it watches, and this descriptor is the resolver's.
    result<bool> open(int fd) {
      const int duplicate = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
      net_error_code failed;
      if (duplicate < 0)
        failed = net_error_code(errno, net::error::get_system_category());
      else
        descriptor_.assign(duplicate, failed);
      if (!failed) return true;
      if (duplicate >= 0) ::close(duplicate);
      return error(std::error_code(failed.value(), std::system_category()),
                   "Asio cannot watch the resolver's descriptor: " + failed.message());
    }

    void wait() {
      descriptor_.async_wait(net::posix::descriptor_base::wait_read,
                             [self = this->shared_from_this()](net_error_code failed) {
                               if (!failed && self->look()) self->wait();
                             });
    }

    void stop() {
      {
        const std::lock_guard lock(mutex_);
        driven_ = nullptr;
      }
      net::post(descriptor_.get_executor(), [self = this->shared_from_this()] {
        net_error_code ignored;
        self->descriptor_.close(ignored);
      });
    }

   private:
    bool look() {
      const std::lock_guard lock(mutex_);
      if (driven_ != nullptr) driven_->process();
      return driven_ != nullptr;
    }

    std::recursive_mutex mutex_;  // recursive: process() runs callbacks, and one of them may stop this
    resolver* driven_;            // guarded by mutex_; null once stopped
    net::posix::basic_stream_descriptor<net::strand<net::any_io_executor>> descriptor_;
  };

  explicit asio_driver(std::shared_ptr<watcher> w) noexcept : watcher_(std::move(w)) {}

  std::shared_ptr<watcher> watcher_;
};

}  // namespace LBRESOLVE_ASIO_NAMESPACE
}  // namespace lbresolve
