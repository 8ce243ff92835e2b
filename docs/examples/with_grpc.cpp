// Gives a gRPC channel the addresses in lbresolve's order: with_grpc HOST:PORT
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <lbresolve/interop.hpp>
#include <lbresolve/lbresolve.hpp>

#include <chrono>
#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: with_grpc HOST:PORT\n", stderr), 2;
  auto found = lbresolve::resolve(argv[1]);
  if (!found) return std::fprintf(stderr, "%s\n", found.error().message().c_str()), 1;
  auto target = lbresolve::grpc_target(found.value());
  if (!target) return std::fprintf(stderr, "%s\n", target.error().message().c_str()), 1;
  std::printf("%s\n", target.value().c_str());

  grpc::ChannelArguments settings;
  settings.SetString(GRPC_ARG_DEFAULT_AUTHORITY, argv[1]);  // the target has addresses only, and servers want the name
  const auto channel = grpc::CreateCustomChannel(target.value(), grpc::InsecureChannelCredentials(), settings);
  const bool connected = channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(5));
  std::puts(connected ? "connected" : "not connected");
  return connected ? 0 : 1;
}
