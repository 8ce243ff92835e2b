// What DNS tells the clients: all addresses or some, in which order, and how late it notices a dead server.
#pragma once

#include "core/random.hpp"
#include "core/time.hpp"
#include "sim/fleet/server_model.hpp"

#include <chrono>
#include <cstddef>
#include <vector>

namespace lbresolve::fleet {

struct dns_setup {
  enum class order : std::uint8_t { fixed, rotated, shuffled };
  order gives = order::rotated;
  std::size_t subset = 0;  ///< addresses in an answer; 0: all
  duration ttl = std::chrono::seconds{30};
  bool filters = false;                     ///< leaves dead servers out,
  duration lag = std::chrono::seconds{10};  ///< once they have been dead for so long; and takes them back as late
  std::size_t resolvers = 1;                ///< recursive resolvers, each with its cache, shared by the clients
};

struct dns_answer {
  std::vector<server_id> addresses;
  time_point until{};
};

class dns_model {
 public:
  explicit dns_model(const dns_setup& setup) : setup_(setup), caches_(setup.resolvers) {}

  /// The answer that the client's resolver gives: from its cache while that lasts.
  const dns_answer& ask(std::size_t client, const std::vector<server_model>& servers, time_point now,
                        core::random_source& random);

  std::size_t questions() const noexcept { return questions_; }  ///< that reached the authority

 private:
  std::vector<server_id> fresh(const std::vector<server_model>& servers, time_point now, core::random_source& random);

  dns_setup setup_;
  std::vector<dns_answer> caches_;
  std::size_t turn_ = 0;
  std::size_t questions_ = 0;
};

}  // namespace lbresolve::fleet
