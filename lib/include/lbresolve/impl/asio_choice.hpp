// Which Asio lbresolve/asio.hpp means, and what differs between the two. Not to be included by programs.
#pragma once

#if !defined(LBRESOLVE_ASIO_BOOST) && !defined(LBRESOLVE_ASIO_STANDALONE)
#if defined(ASIO_VERSION)
#define LBRESOLVE_ASIO_STANDALONE
#elif defined(BOOST_ASIO_VERSION)
#define LBRESOLVE_ASIO_BOOST
#elif __has_include(<asio.hpp>)
#define LBRESOLVE_ASIO_STANDALONE
#elif __has_include(<boost/asio.hpp>)
#define LBRESOLVE_ASIO_BOOST
#else
#error "lbresolve/asio.hpp needs Asio >= 1.18 or Boost >= 1.74"
#endif
#endif

#include <utility>  // before Boost 1.74, which forgets it

#if defined(LBRESOLVE_ASIO_BOOST)
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/asio/version.hpp>
#define LBRESOLVE_ASIO_HAS_CANCELLATION (BOOST_ASIO_VERSION >= 101900)
#if LBRESOLVE_ASIO_HAS_CANCELLATION
#include <boost/asio/associated_cancellation_slot.hpp>
#endif
#define LBRESOLVE_ASIO_NAMESPACE with_boost_asio
#else
#include <asio/any_io_executor.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/error.hpp>
#include <asio/execution.hpp>
#include <asio/execution_context.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/query.hpp>
#include <asio/strand.hpp>
#include <asio/system_executor.hpp>
#include <asio/version.hpp>
#define LBRESOLVE_ASIO_HAS_CANCELLATION (ASIO_VERSION >= 101900)
#if LBRESOLVE_ASIO_HAS_CANCELLATION
#include <asio/associated_cancellation_slot.hpp>
#endif
#define LBRESOLVE_ASIO_NAMESPACE with_asio
#endif

#include <lbresolve/error.hpp>

#include <map>
#include <mutex>
#include <string>
#include <system_error>
#include <type_traits>

// One program may use both kinds, in different files: the inline namespace keeps what is made for each apart.
namespace lbresolve {
inline namespace LBRESOLVE_ASIO_NAMESPACE {

#if defined(LBRESOLVE_ASIO_BOOST)
namespace net = ::boost::asio;
using net_error_code = ::boost::system::error_code;
#else
namespace net = ::asio;
using net_error_code = ::asio::error_code;
#endif

namespace asio_impl {

#if defined(LBRESOLVE_ASIO_BOOST)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"  // Boost's base has none on purpose
/// A category of std:: for a Boost that cannot hold one (before 1.76).
class foreign_category final : public ::boost::system::error_category {
 public:
  explicit foreign_category(const std::error_category& of) noexcept : of_(of) {}
  const char* name() const noexcept override { return of_.name(); }
  std::string message(int value) const override { return of_.message(value); }
  ::boost::system::error_condition default_error_condition(int value) const noexcept override {
    const std::error_condition means = of_.default_error_condition(value);
    if (means.category() == std::generic_category()) return {means.value(), ::boost::system::generic_category()};
    return {value, *this};
  }

 private:
  const std::error_category& of_;
};
#pragma GCC diagnostic pop

/// One object for each category, as codes are compared by its address. Never destroyed: codes outlive statics.
inline const ::boost::system::error_category& foreign(const std::error_category& of) {
  static std::mutex mutex;
  static auto& known = *new std::map<const std::error_category*, const foreign_category*>;
  const std::lock_guard lock(mutex);
  const foreign_category*& one = known[&of];
  if (one == nullptr) one = new foreign_category(of);
  return *one;
}

template <class Code>
Code to_net(const std::error_code& code) {
  if (code.category() == std::generic_category()) return {code.value(), ::boost::system::generic_category()};
  if constexpr (std::is_constructible_v<Code, const std::error_code&>)
    return Code(code);
  else
    return {code.value(), foreign(code.category())};
}
#else
template <class Code>
Code to_net(const std::error_code& code) {
  return code;
}
#endif

}  // namespace asio_impl

/// The code in Asio's terms. The category stays, but for errno values, which are Asio's own ones there, so that they
/// compare equal to `error::connection_refused` and the like; errc::cancelled is `error::operation_aborted`.
inline net_error_code to_asio(const std::error_code& code) {
  if (!code) return {};
  if (code.category() == std::system_category()) return {code.value(), net::error::get_system_category()};
  if (code == make_error_code(errc::cancelled)) return net::error::operation_aborted;
  return asio_impl::to_net<net_error_code>(code);
}

/// `ec == errc::timed_out`, also for a Boost whose codes do not know the enumerations of std::.
template <class Code>
requires(std::is_same_v<Code, net_error_code> && !std::is_constructible_v<Code, const std::error_code&>) bool
operator==(const Code& code, errc which) {
  return code == to_asio(make_error_code(which));
}

}  // namespace LBRESOLVE_ASIO_NAMESPACE
}  // namespace lbresolve
