// A resolver across fork(): fork_names SERVER CA_FILE BEFORE CHILDS AFTER
// Looks BEFORE up, forks a child that looks CHILDS up, destroys its resolver and exits, then looks AFTER up. Prints
// "ok" where all of that went well, else what did not.
#include <lbresolve/lbresolve.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  lbresolve::options settings;
  settings.servers = {argv[1]};
  settings.query.ca_file = argv[2];
  settings.families = lbresolve::families::ipv4_only;
  auto made = lbresolve::resolver::create(settings);
  if (!made) return 2;

  const auto finds = [&](const char* name) {
    const auto found = made.value().resolve(name);
    if (!found) std::puts(found.error().message().c_str());
    return found.has_value();
  };
  if (!finds(argv[3])) return 1;
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    const bool found = finds(argv[4]);
    made = lbresolve::resolver::create();
    std::fflush(stdout);
    _exit(found ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  if (status != 0 || !finds(argv[5])) return 1;
  std::puts("ok");
  return 0;
}
