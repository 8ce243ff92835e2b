// Connects to all targets at once and prints each one as it ends: callbacks HOST:PORT...
#include <lbresolve/lbresolve.hpp>

#include <cstdio>
#include <latch>

int main(int argc, char** argv) {
  std::latch left(argc - 1);  // before the resolver: it outlives the thread that calls back
  auto made = lbresolve::resolver::create();
  if (!made) return std::fprintf(stderr, "%s\n", made.error().message().c_str()), 1;
  for (int i = 1; i < argc; ++i) {
    // Callbacks run on the resolver's thread, one after the other: they need no lock between themselves.
    made.value().async_connect(argv[i], {}, [&, i](lbresolve::result<lbresolve::connection> connected) {
      if (connected)
        std::printf("%s: %s\n", argv[i], connected.value().peer().to_string().c_str());
      else
        std::printf("%s: %s\n", argv[i], connected.error().message().c_str());
      left.count_down();
    });
  }
  left.wait();
}
