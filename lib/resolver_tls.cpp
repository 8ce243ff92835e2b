// Connects that speak TLS: with whom, by which authorities, and the connection that comes of it.
#include "resolver_impl.hpp"

#include "core/target.hpp"
#include "io/fork.hpp"
#include "io/tls_context.hpp"
#include "tls_stream_impl.hpp"

#include <lbresolve/tls_error.hpp>

#include <utility>

namespace lbresolve {

namespace {

// Each holds its authorities in memory; a program has one or two CA files.
constexpr std::size_t most_contexts = 16;

}  // namespace

// Made when first wanted: reading the system's authorities takes milliseconds.
result<std::shared_ptr<io::tls_context>> resolver::impl::tls_context_for(const std::string& ca_file) {
  const io::fork_shelter::of_this_thread inside;
  const std::lock_guard lock(tls_mutex_);
  if (const auto at = tls_.find(ca_file); at != tls_.end()) return at->second;
  LBRESOLVE_TRY(made, io::tls_context::create(ca_file));
  if (tls_.size() >= most_contexts) tls_.erase(tls_.begin());
  tls_.emplace(ca_file, made);
  return made;
}

result<io::connector_settings> resolver::impl::sockets_for(std::string_view target, const connect_options& o) {
  io::connector_settings sockets{.source_address = o.source_address, .interface = o.interface, .hook = o.hook};
  if (o.ready == ready::connected) return sockets;
  LBRESOLVE_TRY(what, core::parse_target(target, true));
  BOOST_OUTCOME_TRYV(core::check(o));
  LBRESOLVE_TRY(shared, tls_context_for(o.tls.ca_file));
  sockets.tls =
      std::make_shared<const io::tls_wish>(io::tls_wish{.context = [shared] { return shared; },
                                                        .settings = {.identity = core::identity_for(o.tls, what),
                                                                     .alpn = o.tls.alpn,
                                                                     .alpn_required = o.tls.alpn_required,
                                                                     .peer = core::memory_key(what)}});
  return sockets;
}

result<connection> connection_over(io::connected_socket winner, const endpoint& peer,
                                   std::shared_ptr<const trace> story) {
  if (winner.tls == nullptr) return connection(winner.fd.release(), peer, std::move(story));
  const io::fork_shelter::of_this_thread inside;
  if (!winner.tls->attach(winner.fd.get()))
    return error(make_error_code(tls_errc::local_failure), "no memory for the TLS session of " + peer.to_string(),
                 std::move(story));
  tls_stream tls(std::make_unique<tls_stream::impl>(std::move(winner.tls)));
  return connection(winner.fd.release(), peer, std::move(story), std::move(tls));
}

}  // namespace lbresolve
