// Looks many names up at once through one resolver: many_names SERVER FAMILIES(4|46) TIMEOUT_MS NAME...
// Prints a line for each as it ends: name, "ok" or the error, milliseconds.
#include <lbresolve/lbresolve.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <mutex>
#include <string_view>

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  lbresolve::options settings{.servers = {argv[1]}};
  if (std::string_view(argv[2]) == "4") settings.families = lbresolve::families::ipv4_only;
  auto made = lbresolve::resolver::create(settings);
  if (!made) return 2;
  lbresolve::resolver resolver = std::move(made).value();

  std::latch left(argc - 4);
  std::mutex printing;
  const auto began = std::chrono::steady_clock::now();
  for (int i = 4; i < argc; ++i) {
    resolver.async_resolve(argv[i], {.timeout = std::chrono::milliseconds(std::atoi(argv[3]))}, [&, i](auto what) {
      const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
      {
        const std::lock_guard lock(printing);
        std::printf("%s %s %.1f\n", argv[i], what ? "ok" : what.error().code().message().c_str(), took.count());
      }
      left.count_down();
    });
  }
  left.wait();
  return 0;
}
