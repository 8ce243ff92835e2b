"""A real dnsdist that answers for some hosts itself, over UDP, TCP, TLS and HTTPS, with nobody behind it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Mapping, Sequence

from server_process import ServerProcess, Start

CONFIG = """\
setLocal('{address}:53')
addTLSLocal('{address}:853', '{certificate}', '{certificate}')
addDOHLocal('{address}:443', '{certificate}', '{certificate}', '/dns-query')
setACL({{'0.0.0.0/0', '::/0'}})
setSecurityPollSuffix('')
{answers}
addAction(AllRule(), RCodeAction(DNSRCode.REFUSED))
"""


def answer(name: str, addresses: Sequence[str]) -> str:
    """Lua: the addresses of a name."""
    listed = ", ".join(f"'{address}'" for address in addresses)
    return f"addAction(QNameRule('{name}.'), SpoofAction({{{listed}}}, {{ttl=300}}))"


class DnsdistServer(ServerProcess):
    """Runs from construction to close()."""

    def __init__(self, hosts: Mapping[str, Sequence[str]], *, certificate: Path, directory: Path, address: str,
                 start: Start = subprocess.Popen) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        answers = "\n".join(answer(name, addresses) for name, addresses in hosts.items())
        config = directory / "dnsdist.conf"
        config.write_text(CONFIG.format(address=address, certificate=certificate, answers=answers), encoding="utf-8")
        super().__init__("dnsdist", ["--supervised", "--disable-syslog", "-C", str(config)], address, 53, start)
