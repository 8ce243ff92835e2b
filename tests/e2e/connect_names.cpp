// Connects to one target after the other through one resolver: connect_names SERVER TARGET...
// Prints a line for each: target, milliseconds, and each attempt as address=outcome, in the order of their start.
#include <lbresolve/lbresolve.hpp>

#include <chrono>
#include <cstdio>
#include <string>

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  auto made = lbresolve::resolver::create({.servers = {argv[1]}});
  if (!made) return 2;
  lbresolve::resolver resolver = std::move(made).value();

  for (int i = 2; i < argc; ++i) {
    const auto what = resolver.connect(argv[i]);
    const lbresolve::trace* story = what ? what.value().story() : what.error().story();
    const std::chrono::duration<double, std::milli> took = story != nullptr ? story->took : lbresolve::elapsed{};
    std::printf("%s %.1f", argv[i], took.count());
    if (story != nullptr)
      for (const auto& a : story->attempts)
        std::printf(" %s=%s", a.endpoint.address.to_string().c_str(), to_string(a.ended_as));
    std::printf("\n");
  }
  return 0;
}
