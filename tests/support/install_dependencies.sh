#!/usr/bin/env bash
# Installs what the named groups need and this machine lacks: install_dependencies.sh build demo test ci
#
# Debian 12 and newer, Ubuntu 22.04 and newer. Does nothing, and quickly, when all is there. Never starts a service:
# some packages bring a daemon (unbound, gdnsd, nginx, ...), and the tests want the program, not a server on port 53.
set -euo pipefail

packages_of() {
  case $1 in
    build) echo make cmake ninja-build g++ pkg-config libc-ares-dev libssl-dev libnghttp2-dev libsqlite3-dev \
                libboost-dev libcli11-dev libfmt-dev nlohmann-json3-dev ;;
    demo) echo python3 unbound ;;
    test) echo doctest-dev python3 python3-pytest unbound gdnsd pdns-server pdns-backend-bind knot-resolver \
               dnsdist nginx-light nftables iproute2 binutils patch openssl zsh fish git ccache abigail-tools \
               python3-venv python3-dev libasio-dev libcurl4-openssl-dev libpq-dev libgrpc++-dev ;;
    ci) echo clang clang-14 clang-tidy-14 clang-format-14 llvm-14 libclang-rt-14-dev libbenchmark-dev dnsperf \
             shellcheck debhelper dpkg-dev lintian ;;
    *) echo "install_dependencies.sh: no group '$1' (build, demo, test, ci)" >&2; return 2 ;;
  esac
}

# A tool counts as there when its command is, wherever it came from; everything else when dpkg says so.
is_there() {
  case $1 in
    make | cmake | git | ccache | unbound | gdnsd | dnsdist | dnsperf | patch | shellcheck | python3 | openssl | zsh | fish)
      PATH=$PATH:/usr/sbin command -v "$1" >/dev/null ;;
    pdns-server) PATH=$PATH:/usr/sbin command -v pdns_server >/dev/null ;;
    knot-resolver) PATH=$PATH:/usr/sbin command -v kresd >/dev/null ;;
    nginx-light) PATH=$PATH:/usr/sbin command -v nginx >/dev/null ;;
    ninja-build) command -v ninja >/dev/null ;;
    libclang-rt-14-dev) ls /usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a >/dev/null 2>&1 ;;
    *) [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ] ;;
  esac
}

tell_other_systems() {
  cat >&2 <<TEXT
This script knows Debian (12 and newer) and Ubuntu (22.04 and newer) only. Elsewhere, install by hand and set
LBRESOLVE_SKIP_INSTALL=1:
  build  make, cmake >= 3.22, ninja, a C++20 compiler, pkg-config, c-ares >= 1.18.1, OpenSSL >= 3.0, nghttp2 >= 1.43,
         SQLite >= 3.31, Boost >= 1.74 (headers), CLI11 >= 2.1, fmt >= 8, nlohmann/json >= 3.10
  test   doctest >= 2.4, Python >= 3.9 with pytest, venv and headers, unbound, gdnsd >= 3, PowerDNS (authoritative)
         >= 4.5 with its bind backend, Knot Resolver 5, dnsdist >= 1.7, nginx with HTTP/2, nftables, iproute2, binutils, patch, openssl;
         for more of the tests: zsh, fish, ccache, libabigail; for the examples: Asio >= 1.19, libcurl, libpq, gRPC (C++)
  Fedora  dnf install make cmake ninja-build gcc-c++ pkgconf c-ares-devel openssl-devel libnghttp2-devel sqlite-devel
          boost-devel cli11-devel fmt-devel json-devel doctest-devel python3-pytest python3-devel unbound gdnsd pdns knot-resolver
          dnsdist nginx nftables iproute binutils patch openssl
  Arch    pacman -S make cmake ninja gcc pkgconf c-ares openssl libnghttp2 sqlite boost cli11 fmt nlohmann-json doctest
          python-pytest unbound gdnsd powerdns knot-resolver dnsdist nginx nftables iproute2 binutils patch openssl
  Alpine  apk add make cmake samurai g++ pkgconf c-ares-dev openssl-dev nghttp2-dev sqlite-dev boost-dev cli11-dev
          fmt-dev nlohmann-json doctest-dev py3-pytest python3-dev unbound gdnsd pdns pdns-backend-bind knot-resolver
          dnsdist nginx nftables iproute2 binutils patch openssl
  macOS and Windows are not supported yet.
TEXT
  exit 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "Not root, and there is no sudo. As root, run: apt-get install ${missing[*]}" >&2
    exit 1
  fi
}

apt() {
  as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y -o DPkg::Lock::Timeout=300 "$@"
}

# Debian's own switch: while /usr/sbin/policy-rc.d exits 101, no package's script starts a service. One that is there
# already is somebody's decision and stays.
policy=/usr/sbin/policy-rc.d
deny_service_starts() {
  [ ! -e $policy ] || return 0
  trap 'as_root rm -f $policy' EXIT
  printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
  as_root chmod 755 $policy
}

# Nor shall it start at the next boot: unbound would take port 53 and change who answers this machine.
disable_new_services() {
  local package service
  for package in "${missing[@]}"; do
    case $package in
      unbound) set -- unbound unbound-resolvconf ;;
      gdnsd) set -- gdnsd ;;
      pdns-server) set -- pdns ;;
      knot-resolver) set -- kresd@1 kresd@2 kres-cache-gc ;;
      dnsdist) set -- dnsdist ;;
      nginx-light) set -- nginx ;;
      *) continue ;;
    esac
    for service; do disable_service "$service"; done
  done
}

disable_service() {
  if command -v systemctl >/dev/null; then
    as_root systemctl --quiet disable "$1.service" 2>/dev/null || true
  fi
  if command -v update-rc.d >/dev/null && [ -e "/etc/init.d/$1" ]; then
    as_root update-rc.d "$1" disable >/dev/null 2>&1 || true
  fi
}

[ -z "${LBRESOLVE_SKIP_INSTALL:-}" ] || exit 0
[ $# -gt 0 ] || { echo "usage: install_dependencies.sh GROUP... (build, demo, test, ci)" >&2; exit 2; }

wanted=()
for group in "$@"; do
  names=$(packages_of "$group")
  read -r -a list <<<"$names"
  wanted+=("${list[@]}")
done

command -v apt-get >/dev/null || tell_other_systems

missing=()
for package in "${wanted[@]}"; do
  case " ${missing[*]-} " in *" $package "*) continue ;; esac
  is_there "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "Installing ${missing[*]}"
deny_service_starts
apt update
# Ubuntu 22.04 ships the sanitizer runtimes inside clang itself and has no package of that name.
if ! apt-cache show libclang-rt-14-dev >/dev/null 2>&1; then
  for i in "${!missing[@]}"; do
    [ "${missing[$i]}" != libclang-rt-14-dev ] || unset "missing[$i]"
  done
fi
[ ${#missing[@]} -eq 0 ] || apt install --no-install-recommends "${missing[@]}"
disable_new_services
