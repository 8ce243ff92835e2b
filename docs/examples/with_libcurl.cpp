// Fetches with libcurl, which connects by itself, to the addresses that lbresolve would try: with_libcurl URL
#include <curl/curl.h>
#include <lbresolve/interop.hpp>
#include <lbresolve/lbresolve.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace {

/// "host" and "port" of a URL, with the scheme's own port where it has none.
bool split(const char* url, std::string& host, std::string& port) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), &curl_url_cleanup);
  char* part = nullptr;
  if (curl_url_set(parsed.get(), CURLUPART_URL, url, 0) != CURLUE_OK) return false;
  if (curl_url_get(parsed.get(), CURLUPART_HOST, &part, 0) != CURLUE_OK) return false;
  host = part;
  curl_free(part);
  if (curl_url_get(parsed.get(), CURLUPART_PORT, &part, CURLU_DEFAULT_PORT) != CURLUE_OK) return false;
  port = part;
  curl_free(part);
  return true;
}

int fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::string host;
  std::string port;
  if (argc != 2 || !split(argv[1], host, port)) return std::fputs("usage: with_libcurl URL\n", stderr), 2;
  auto resolver = lbresolve::resolver::create();
  if (!resolver) return fail(resolver.error().message());
  auto found = resolver.value().resolve(host + ':' + port);
  if (!found) return fail(found.error().message());
  const auto number = static_cast<std::uint16_t>(std::atoi(port.c_str()));
  auto entry = lbresolve::curl_resolve_entry(host, number, found.value());
  if (!entry) return fail(entry.error().message());
  std::printf("%s\n", entry.value().c_str());

  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), &curl_easy_cleanup);
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> entries(
      curl_slist_append(nullptr, entry.value().c_str()), &curl_slist_free_all);
  curl_easy_setopt(curl.get(), CURLOPT_URL, argv[1]);
  curl_easy_setopt(curl.get(), CURLOPT_RESOLVE, entries.get());
  const CURLcode ended = curl_easy_perform(curl.get());
  if (ended != CURLE_OK) return fail(curl_easy_strerror(ended));
  const char* address = nullptr;
  curl_easy_getinfo(curl.get(), CURLINFO_PRIMARY_IP, &address);
  std::printf("served by %s\n", address);
  // What libcurl found out is worth remembering: later choices count it.
  if (const auto served = lbresolve::address::parse(address))
    resolver.value().report({*served, number}, lbresolve::outcome::success);
}
