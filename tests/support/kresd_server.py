"""A real Knot Resolver that answers for some hosts itself, over UDP, TCP, TLS and HTTPS, and asks nobody."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Mapping, Sequence

from server_process import ServerProcess, Start

CONFIG = """\
net.listen('{address}', 53, {{ kind = 'dns' }})
net.listen('{address}', 853, {{ kind = 'tls' }})
net.listen('{address}', 443, {{ kind = 'doh2' }})
net.tls('{certificate}', '{certificate}')
cache.open(10 * MB, 'lmdb://{directory}/cache')
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('priming')
modules.unload('detect_time_skew')
modules.unload('detect_time_jump')
trust_anchors.remove('.')
{answers}
policy.add(policy.suffix(policy.REFUSE, policy.todnames({{'test.'}})))
"""


def answer(name: str, addresses: Sequence[str]) -> str:
    """Lua: the addresses of a name, and nothing else of it."""
    parts = []
    for kind, found in (("A", [a for a in addresses if ":" not in a]), ("AAAA", [a for a in addresses if ":" in a])):
        if found:
            data = ", ".join(f"kres.str2ip('{address}')" for address in found)
            parts.append(f"[kres.type.{kind}] = {{ rdata = {{ {data} }}, ttl = 300 }}")
    return f"policy.add(policy.domains(policy.ANSWER({{ {', '.join(parts)} }}, true), policy.todnames({{'{name}.'}})))"


class KresdServer(ServerProcess):
    """Runs from construction to close()."""

    def __init__(self, hosts: Mapping[str, Sequence[str]], *, certificate: Path, directory: Path, address: str,
                 start: Start = subprocess.Popen) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        answers = "\n".join(answer(name, addresses) for name, addresses in hosts.items())
        config = directory / "kresd.conf"
        config.write_text(CONFIG.format(directory=directory, address=address, certificate=certificate, answers=answers),
                          encoding="utf-8")
        super().__init__("kresd", ["-n", "-c", str(config), str(directory)], address, 53, start)
