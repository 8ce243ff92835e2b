#!/usr/bin/env python3
"""Says where the core is not pure: where it reads a clock, touches a descriptor, draws randomness, shares state
between threads, or leans on a library that does.

    purity.py lib/core                      reads the sources
    purity.py --symbols liblbresolve_core.a asks the linker's view: what does the archive need from outside?

The sources say it early and with a line number. The symbols cannot be fooled by a macro or by a header.
"""

import re
import subprocess
import sys
from pathlib import Path

# Headers that offer what a core must not do. Anything of the system with a slash in it is one, except ours and Boost's.
FORBIDDEN_INCLUDES = re.compile(
    r"""^\s*\#\s*include\s*[<"](
        (?!boost/|lbresolve/|core/)[\w.+-]+/.*     # <sys/socket.h>, <openssl/rand.h>, "io/..."
      | (unistd|fcntl|poll|netdb|resolv|ares\w*|time|stdio|signal|pthread|sched|ifaddrs)\.h
      | ctime|cstdio|fstream|iostream|thread|mutex|shared_mutex|condition_variable|future|atomic|semaphore|stop_token
      | latch|barrier|filesystem|csignal|syncstream
    )[>"]""",
    re.VERBOSE,
)

FORBIDDEN_WORDS = re.compile(
    r"""::now\s*\(                                       # any clock; as a type of values, system_clock is welcome
      | \b(clock_gettime|gettimeofday|time\s*\(\s*(0|NULL|nullptr|&)|timespec_get)
      | \b(random_device|default_random_engine|mt19937(_64)?|minstd_rand0?|getrandom|getentropy|arc4random)\b
      | \b(s?rand|rand_r|drand48|RAND_bytes)\s*\(
      | \b(getenv|secure_getenv|setenv|system|fork|abort|exit|_exit|raise)\s*\(
      | \b(fopen|printf|fprintf|puts|ifstream|ofstream|fstream|cout|cerr|clog)\b
      | \bthread_local\b
      | (?<![\w>])::(socket|connect|bind|send|sendto|recv|recvfrom|poll|open|close|read|write|ioctl|getaddrinfo)\s*\(
      | \b(ares|SSL|EVP|nghttp2|sqlite3)_\w+""",
    re.VERBOSE,
)

# What a library of values may need from outside: C++'s own runtime, memory, bytes, and arithmetic.
ALLOWED_SYMBOLS = re.compile(
    r"""^( _Z(N?K?S[tabsiod] | n[wa] | d[la]).*      # std::, operator new and delete
      | _ZT[IVS](N?K?St | N10__cxxabiv1 | [a-z]).*  # vtables and typeinfo of the runtime
      | __cxa_\w+ | __gxx_personality_v0 | _Unwind_Resume | __dso_handle | __stack_chk_fail | _GLOBAL_OFFSET_TABLE_
      | __tls_get_addr | __libc_single_threaded      # shared_ptr looks whether there are threads at all
      | (__)?(mem(cpy|move|set|cmp|chr)|str(len|cmp|ncmp|chr))(_chk)? | v?snprintf
      | bcmp                                         # clang's memcmp where only equality matters
      | (exp|exp2|log|log2|log1p|expm1|pow|sqrt|floor|ceil|round|lround|llround|fmod|ldexp|hypot)f?
      | __(asan|ubsan|tsan|sanitizer)_\w+ | __sanitizer\w+
    )$""",
    re.VERBOSE,
)

FORBIDDEN_STANDARD = re.compile(
    r"\b(\w+_clock::now|random_device|basic_\w*(filebuf|fstream)|std::thread|this_thread|mutex|condition_variable"
    r"|future_category|filesystem|ios_base::Init|std::cout|std::cerr|locale::global)\b"
)


def without_comments(text):
    """The same lines, with comments and string literals blanked."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)

    def blank(match):
        keep = match.group().startswith('"') and text[: match.start()].rpartition("\n")[2].lstrip().startswith("#")
        return match.group() if keep else re.sub(r"[^\n]", " ", match.group())

    return pattern.sub(blank, text)


def check_sources(folder):
    findings = []
    for path in sorted(p for p in Path(folder).rglob("*") if p.suffix in (".hpp", ".cpp")):
        for number, line in enumerate(without_comments(path.read_text()).splitlines(), 1):
            for rule in (FORBIDDEN_INCLUDES, FORBIDDEN_WORDS):
                if match := rule.search(line):
                    findings.append(f"{path}:{number}: {match.group().strip()}")
    return findings


def nm(archive, *flags):
    command = ["nm", "--format=posix", *flags, archive]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {line.split()[0] for line in listed.splitlines() if line and not line.endswith(":")}


def check_symbols(archive):
    needed = nm(archive, "--undefined-only") - nm(archive, "--defined-only")
    names = sorted(n.split("@")[0] for n in needed)
    plain = subprocess.run(["c++filt"], input="\n".join(names), check=True, capture_output=True, text=True).stdout
    return [
        f"{archive} needs {readable}"
        for name, readable in zip(names, plain.splitlines())
        if not ALLOWED_SYMBOLS.match(name) or FORBIDDEN_STANDARD.search(readable)
    ]


def main(arguments):
    symbols = "--symbols" in arguments
    paths = [a for a in arguments if a != "--symbols"]
    if not paths:
        sys.exit(__doc__)
    findings = [f for p in paths for f in (check_symbols if symbols else check_sources)(p)]
    print("\n".join(findings) or "pure")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
