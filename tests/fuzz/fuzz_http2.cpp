// An HTTP/2 session with open exchanges, and whatever octets for a server: each exchange ends once at most.
#include "io/http2_session.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

namespace {

void require(bool holds) {
  if (!holds) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto session = lbresolve::io::http2_session::create({"dns.example", "/dns-query", size % 2 == 0});
  std::vector<std::uint8_t> out;
  const std::array<std::uint8_t, 12> message{};
  std::set<std::uint64_t> open{1, 2, 3};
  for (const auto exchange : open) require(session->request(exchange, message));
  session->send(out);
  constexpr std::size_t piece = 50;
  for (std::size_t at = 0; at < size && !session->is_over(); at += piece) {
    session->receive({data + at, std::min(piece, size - at)});
    while (const auto ended = session->next()) {
      require(open.erase(ended->exchange) == 1);
      require(ended->content.size() <= 65'535 && (!ended->failed || ended->failed->code()));
    }
    if (at == piece && session->cancel(1)) open.erase(1);
    session->send(out);
  }
  while (const auto ended = session->next()) require(open.erase(ended->exchange) == 1);
  for (const auto exchange : session->reset()) require(open.erase(exchange) == 1);
  require(open.empty());
  return 0;
}
