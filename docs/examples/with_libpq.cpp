// Connects libpq, which tries the addresses one after the other, in lbresolve's order:
// with_libpq HOST "dbname=... user=..."
#include <libpq-fe.h>
#include <lbresolve/interop.hpp>
#include <lbresolve/lbresolve.hpp>

#include <cstdio>
#include <memory>
#include <string>

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: with_libpq HOST CONNINFO\n", stderr), 2;
  auto found = lbresolve::resolve(argv[1]);
  if (!found) return std::fprintf(stderr, "%s\n", found.error().message().c_str()), 1;
  auto hosts = lbresolve::libpq_conninfo(argv[1], found.value());
  if (!hosts) return std::fprintf(stderr, "%s\n", hosts.error().message().c_str()), 1;
  std::printf("%s\n", hosts.value().c_str());

  // Of a silent address libpq would wait for minutes before it tries the next one.
  const std::string conninfo = hosts.value() + " connect_timeout=3 " + argv[2];
  const std::unique_ptr<PGconn, decltype(&PQfinish)> database(PQconnectdb(conninfo.c_str()), &PQfinish);
  if (PQstatus(database.get()) != CONNECTION_OK) return std::fprintf(stderr, "%s", PQerrorMessage(database.get())), 1;
  std::printf("%s at %s port %s\n", PQhost(database.get()), PQhostaddr(database.get()), PQport(database.get()));
}
