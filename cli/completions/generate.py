#!/usr/bin/env python3
"""Writes the completions for bash, zsh and fish from the table below: generate.py [FOLDER]

The table says what `lbresolve --help` says, in fewer words; a test compares the two. After a change, run this and commit
what it writes.
"""

import sys
from pathlib import Path

COMMANDS = {
    "resolve": "the addresses of a name, in the order connect would try them",
    "connect": "race the addresses, show the race, and hang up",
    "explain": "the order in which connect would try the addresses, and why",
    "probe": "connect to every address, and show which ones answer",
    "health": "what is remembered of addresses, from earlier runs too",
}

# What the value of an option can be: a list of words, or one of these kinds.
FILE, INTERFACE, TEXT = "file", "interface", "text"

# Options, what they do, what their value is (None: they have none), and the commands that take them (None: all).
OPTIONS = [
    (["--server"], "ask this DNS server", TEXT, None),
    (["--choice"], "which server first", ["fastest", "ordered", "race"], None),
    (["--domain-server"], "DOMAIN=SERVER, asked for names in the domain", TEXT, None),
    (["--bootstrap"], "server for the addresses of servers given by name", TEXT, None),
    (["--resolv-conf"], "instead of /etc/resolv.conf", FILE, None),
    (["--hosts"], "instead of /etc/hosts", FILE, None),
    (["-4"], "only IPv4", None, None),
    (["-6"], "only IPv6", None, None),
    (["--timeout"], "for all of it, as 500ms or 1.5s", TEXT, None),
    (["--no-cache"], "ask again for every one of --count", None, None),
    (["--stale"], "use old answers where no server answers", None, None),
    (["--no-search"], "without the search list of resolv.conf", None, None),
    (["--subnet"], "send EDNS Client Subnet", TEXT, None),
    (["--trust-ad"], "believe that DNSSEC validated an answer", None, None),
    (["--no-private"], "leave private addresses out of what DNS says", None, None),
    (["--private-ok"], "domain that may have private addresses", TEXT, None),
    (["--nat64"], "the NAT64 prefix of this network", TEXT, None),
    (["--policy"], "how to choose among equals",
     ["balanced", "fastest", "round_robin", "random", "hash", "in_order"], None),
    (["--mode"], "whose choice it is", ["hybrid", "client", "server"], None),
    (["--learn-weights"], "share as often as DNS answers", None, None),
    (["--key"], "what decides with --policy hash", TEXT, None),
    (["--attempt-delay"], "time between attempts, as 100ms", TEXT, ["connect"]),
    (["--https"], "ask HTTPS records", None, ["connect", "explain", "probe"]),
    (["--no-https"], "do not ask HTTPS records", None, ["connect", "explain", "probe"]),
    (["--source"], "connect from this address", TEXT, ["connect", "explain", "probe"]),
    (["--interface"], "connect through this network interface", INTERFACE, ["connect", "explain", "probe"]),
    (["--tls"], "connected is what has finished TLS", None, ["connect"]),
    (["--alpn"], "offer these protocols, as h2,http/1.1", TEXT, ["connect"]),
    (["--tls-name"], "name to verify instead of the host", TEXT, ["connect"]),
    (["--ca-file"], "trust these authorities (PEM)", FILE, None),
    (["--pin"], "trust this public key, as sha256-BASE64", TEXT, ["connect"]),
    (["--no-verify"], "whoever answers will do", None, ["connect"]),
    (["--state"], "remember in this file", FILE, None),
    (["--no-state"], "remember nothing", None, None),
    (["--no-probes"], "no connections in the background", None, None),
    (["--clear"], "forget what is remembered", None, ["health"]),
    (["--count"], "so many times, then the distribution", TEXT, ["resolve", "connect", "explain", "probe"]),
    (["--parallel"], "so many of them at a time", TEXT, ["resolve", "connect", "probe"]),
    (["--interval"], "time between the starts, as 500ms", TEXT, ["resolve", "connect", "explain", "probe"]),
    (["--watch"], "again and again, until Ctrl-C", None, ["probe"]),
    (["--format"], "how to print", ["table", "short", "json"], None),
    (["--trace"], "tell the story of the lookup", None, None),
    (["--color"], "when to use colours", ["auto", "always", "never"], None),
    (["-h", "--help"], "print the help", None, None),
    (["-V", "--version"], "print the version", None, None),
]

NOTE = "Written by cli/completions/generate.py of lbresolve; change that."


def flags_of(command):
    return [flag for flags, _, _, commands in OPTIONS if commands is None or command in commands for flag in flags]


def bash():
    lines = [f"# {NOTE}", "", "_lbresolve() {", '  local word=$2 before=$3 command=resolve values="" i', "  COMPREPLY=()",
             "  for ((i = 1; i < COMP_CWORD; ++i)); do",
             f'    case ${{COMP_WORDS[i]}} in {" | ".join(COMMANDS)}) command=${{COMP_WORDS[i]}}; break ;; esac',
             "  done", "  # bash makes three words of --option=value.",
             '  if [[ $word == = ]]; then word=""',
             '  elif [[ $before == = ]] && ((COMP_CWORD > 1)); then before=${COMP_WORDS[COMP_CWORD - 2]}; fi',
             "  case $before in"]
    for flags, _, value, _ in OPTIONS:
        if value is None:
            continue
        names = " | ".join(flags)
        if value == FILE:
            lines.append(f'    {names}) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;')
        elif value == INTERFACE:
            lines.append(f'    {names}) values=$(command ls /sys/class/net 2>/dev/null) ;;')
        elif value == TEXT:
            lines.append(f"    {names}) return ;;")
        else:
            lines.append(f'    {names}) values="{" ".join(value)}" ;;')
    lines += ["    *)", "      if [[ $word != -* ]]; then",
              f'        ((COMP_CWORD == 1)) && values="{" ".join(COMMANDS)}"', "      else", "        case $command in"]
    for command in COMMANDS:
        lines.append(f'          {command}) values="{" ".join(flags_of(command))}" ;;')
    lines += ["        esac", "      fi", "      ;;", "  esac",
              '  mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")', "}",
              "complete -F _lbresolve lbresolve", ""]
    return "\n".join(lines)


def zsh():
    def spec(flags, about, value):
        about = about.replace("[", "").replace("]", "").replace(":", "\\:").replace("'", "'\\''")
        label = flags[-1].lstrip("-")
        kinds = {FILE: "_files", INTERFACE: "_net_interfaces", TEXT: " "}
        after = "" if value is None else f":{label}:{kinds[value] if isinstance(value, str) else '(' + ' '.join(value) + ')'}"
        again = "*" if flags[0] in REPEATED else ""
        equals = "=" if value is not None and flags[0].startswith("--") else ""
        if len(flags) > 1:
            return f"{{{','.join(flags)}}}'[{about}]{after}'"
        return f"'{again}{flags[0]}{equals}[{about}]{after}'"

    lines = ["#compdef lbresolve", f"# {NOTE}", "", "_lbresolve() {", "  local -a commands options line",
             "  local curcontext=$curcontext command=resolve state word", "  commands=("]
    lines += [f"    '{name}:{about}'" for name, about in COMMANDS.items()]
    lines += ["  )", "  for word in ${words[2,CURRENT-1]}; do",
              "    if (( ${commands[(I)$word:*]} )); then command=$word; break; fi", "  done", "  options=("]
    lines += [f"    {spec(f, a, v)}" for f, a, v, c in OPTIONS if c is None]
    lines += ["  )", "  case $command in"]
    for command in COMMANDS:
        narrow = [spec(f, a, v) for f, a, v, c in OPTIONS if c is not None and command in c]
        if narrow:
            lines += [f"    {command})", "      options+=(", *(f"        {n}" for n in narrow), "      )", "      ;;"]
    lines += ["  esac", "  _arguments -C -S $options '1:command or name:->first' '*:name:_hosts' && return",
              "  if [[ $state == first ]]; then", "    _describe command commands", "    _hosts", "  fi", "}", "",
              '_lbresolve "$@"', ""]
    return "\n".join(lines)


def fish():
    def quoted(text):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    lines = [f"# {NOTE}", "", "complete -c lbresolve -f"]
    every = " ".join(COMMANDS)
    lines += [f"complete -c lbresolve -n 'not __fish_seen_subcommand_from {every}' -a {name} -d {quoted(about)}"
              for name, about in COMMANDS.items()]
    for flags, about, value, commands in OPTIONS:
        where = ""
        if commands is not None:
            # Without a word that says otherwise, the command is resolve.
            seen = f"__fish_seen_subcommand_from {' '.join(commands)}"
            none = f"; or not __fish_seen_subcommand_from {every}" if "resolve" in commands else ""
            where = f" -n '{seen}{none}'"
        names = "".join(f" -l {f[2:]}" if f.startswith("--") else f" -s {f[1:]}" for f in flags)
        if value is None:
            what = ""
        elif value == FILE:
            what = " -r -F"
        elif value == INTERFACE:
            what = " -x -a '(command ls /sys/class/net 2>/dev/null)'"
        elif value == TEXT:
            what = " -x"
        else:
            what = f" -x -a {quoted(' '.join(value))}"
        lines.append(f"complete -c lbresolve{where}{names}{what} -d {quoted(about)}")
    return "\n".join(lines) + "\n"


REPEATED = {"--server", "--domain-server", "--bootstrap", "--private-ok", "--pin"}

FILES = {"lbresolve.bash": bash, "_lbresolve": zsh, "lbresolve.fish": fish}


def main(folder):
    for name, write in FILES.items():
        (folder / name).write_text(write())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
