"""The wire between the client and the server: copies packets both ways, late, and remembers what it saw.

Runs inside a namespace of its own between two veth pairs, so it needs neither netem nor a TUN device:

    client c0 ===== c1 [ delay_link ] s1 ===== s0 server

Every server address has its own round trip time, half of it each way, and may be dropped (a black hole) or held
(nothing passes until it is released, then everything at once). All of it can change while packets are on their way.
A control socket (one JSON object a line) sets the rules and hands out the log: what left the client, and when.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import ipaddress
import json
import os
import select
import socket
import struct
import time
from collections import deque
from dataclasses import dataclass, field

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_IGNORE_OUTGOING = 23
IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6 = 1, 6, 17, 58
LOG_LIMIT = 400_000


@dataclass
class Rule:
    """What happens to the packets of one server address."""

    one_way: float = 0.0
    drop: bool = False
    hold: bool = False


@dataclass(frozen=True)
class Packet:
    """The few fields of an IP packet that rules and log need."""

    source: bytes
    destination: bytes
    protocol: int
    source_port: int
    destination_port: int
    tcp_flags: int
    tcp_sequence: int
    payload: int


def read_packet(frame: bytes) -> Packet | None:
    """Reads an Ethernet frame; nothing for what is not IPv4 or IPv6 (ARP, say), or is cut short."""
    kind = frame[12:14]
    if kind == b"\x08\x00" and len(frame) >= 34:
        start = 14 + (frame[14] & 0x0F) * 4
        end = 14 + int.from_bytes(frame[16:18], "big")
        return _read_ports(frame, frame[26:30], frame[30:34], frame[23], start, end)
    if kind == b"\x86\xdd" and len(frame) >= 54:
        end = 54 + int.from_bytes(frame[18:20], "big")
        return _read_ports(frame, frame[22:38], frame[38:54], frame[20], 54, end)
    return None


def _read_ports(frame: bytes, source: bytes, destination: bytes, protocol: int, start: int, end: int) -> Packet:
    ports, flags, sequence, payload = (0, 0), 0, 0, max(0, end - start)
    if protocol in (IPPROTO_ICMP, IPPROTO_ICMPV6):
        source = _unreachable(frame, start, len(source)) or source
    elif protocol == IPPROTO_TCP and len(frame) >= start + 20:
        ports = struct.unpack_from("!HH", frame, start)
        sequence = int.from_bytes(frame[start + 4 : start + 8], "big")
        flags = frame[start + 13]
        payload = max(0, end - start - (frame[start + 12] >> 4) * 4)
    elif protocol == IPPROTO_UDP and len(frame) >= start + 8:
        ports = struct.unpack_from("!HH", frame, start)
        payload = max(0, end - start - 8)
    return Packet(source, destination, protocol, ports[0], ports[1], flags, sequence, payload)


def _unreachable(frame: bytes, start: int, size: int) -> bytes | None:
    """The address that an ICMP "destination unreachable" speaks of: routers send it from an address of their own."""
    if frame[start] != (3 if size == 4 else 1):
        return None
    at = start + 8 + (16 if size == 4 else 24)
    return frame[at : at + size]


@dataclass
class WireLog:
    """What the client sent: SYNs, UDP datagrams, and the bytes of each TCP connection."""

    events: deque = field(default_factory=lambda: deque(maxlen=LOG_LIMIT))
    syns_seen: set = field(default_factory=set)
    tcp_bytes: dict = field(default_factory=dict)

    def note(self, packet: Packet, now: float) -> None:
        if packet.protocol == IPPROTO_TCP:
            self._note_tcp(packet, now)
        elif packet.protocol == IPPROTO_UDP:
            self.events.append((now, "udp", packet.destination, packet.destination_port, packet.source_port))

    def _note_tcp(self, packet: Packet, now: float) -> None:
        flow = (packet.source, packet.destination, packet.source_port, packet.destination_port)
        if packet.tcp_flags & 0x12 == 0x02:  # SYN without ACK
            key = (*flow, packet.tcp_sequence)
            kind = "syn-again" if key in self.syns_seen else "syn"
            self.syns_seen.add(key)
            self.events.append((now, kind, packet.destination, packet.destination_port, packet.source_port))
        elif packet.payload:
            self.tcp_bytes[flow] = self.tcp_bytes.get(flow, 0) + packet.payload

    def as_json(self) -> dict:
        text = _address_text
        return {
            "events": [[t, kind, text(to), port, own] for t, kind, to, port, own in self.events],
            "tcp_bytes": [[text(f[1]), f[3], f[2], n] for f, n in self.tcp_bytes.items()],
        }


_texts: dict[bytes, str] = {}


def _address_text(packed: bytes) -> str:
    if packed not in _texts:
        _texts[packed] = str(ipaddress.ip_address(packed))
    return _texts[packed]


class DelayLink:
    """Forwards between two interfaces. One thread, one loop; time is CLOCK_MONOTONIC."""

    def __init__(self, client_interface: str, server_interface: str, control_path: str) -> None:
        self._client = _packet_socket(client_interface)
        self._server = _packet_socket(server_interface)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(control_path)
        self._listener.listen(4)
        self._controls: dict[socket.socket, bytes] = {}
        self._rules: dict[bytes, Rule] = {}
        self._default = Rule()
        self._log = WireLog()
        self._late: list[tuple[float, int, socket.socket, bytes]] = []
        self._held: list[tuple[bytes, socket.socket, bytes]] = []
        self._serial = 0

    def run(self) -> None:
        while True:
            wait = None if not self._late else max(0.0, self._late[0][0] - time.monotonic())
            sources = [self._client, self._server, self._listener, *self._controls]
            ready, _, _ = select.select(sources, [], [], wait)
            for source in ready:
                self._serve(source)
            self._send_due()

    def _serve(self, source: socket.socket) -> None:
        if source is self._client:
            self._receive(self._client, self._server, from_client=True)
        elif source is self._server:
            self._receive(self._server, self._client, from_client=False)
        elif source is self._listener:
            self._controls[self._listener.accept()[0]] = b""
        elif source in self._controls:
            self._read_control(source)

    def _receive(self, source: socket.socket, sink: socket.socket, from_client: bool) -> None:
        for _ in range(64):  # bounded, so that what is due is sent in time
            try:
                frame = source.recv(65_535)
            except BlockingIOError:
                return
            now = time.monotonic()
            packet = read_packet(frame)
            if packet is None:
                continue
            if from_client:
                self._log.note(packet, now)
            self._pass_on(packet.destination if from_client else packet.source, frame, sink, now)

    def _pass_on(self, server: bytes, frame: bytes, sink: socket.socket, now: float) -> None:
        rule = self._rules.get(server, self._default)
        if rule.drop:
            return
        if rule.hold:
            self._held.append((server, sink, frame))
        elif rule.one_way <= 0:
            _send(sink, frame)
        else:
            self._serial += 1
            heapq.heappush(self._late, (now + rule.one_way, self._serial, sink, frame))

    def _send_due(self) -> None:
        now = time.monotonic()
        while self._late and self._late[0][0] <= now:
            _, _, sink, frame = heapq.heappop(self._late)
            _send(sink, frame)

    def _read_control(self, control: socket.socket) -> None:
        data = control.recv(65_536)
        if not data:
            del self._controls[control]
            control.close()
            return
        *lines, self._controls[control] = (self._controls[control] + data).split(b"\n")
        for line in lines:
            reply = self._obey(json.loads(line))
            control.sendall(json.dumps(reply).encode() + b"\n")

    def _obey(self, order: dict) -> dict:
        if order["do"] == "set":
            rule = Rule(order.get("rtt_ms", 0.0) / 2000.0, order.get("drop", False), order.get("hold", False))
            for text in order["addresses"]:
                if text == "*":
                    self._default = rule
                else:
                    self._rules[ipaddress.ip_address(text).packed] = rule
            self._release()
        elif order["do"] == "reset":
            self._rules.clear()
            self._default = Rule()
            self._late.clear()
            self._held.clear()
            self._log = WireLog()
        elif order["do"] == "forget":
            self._log = WireLog()
        elif order["do"] == "log":
            return self._log.as_json()
        return {}

    def _release(self) -> None:
        held, self._held = self._held, []
        for server, sink, frame in held:
            self._pass_on(server, frame, sink, time.monotonic())


def _packet_socket(interface: str) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.bind((interface, ETH_P_ALL))
    sock.setblocking(False)
    return sock


def _send(sink: socket.socket, frame: bytes) -> None:
    try:
        sink.send(frame)
    except OSError:
        pass  # a full queue loses a packet, as wires do


class LinkControl:
    """The tests' end of the control socket."""

    def __init__(self, path: str, timeout: float = 10.0) -> None:
        """Waits until the link listens there."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        end = time.monotonic() + timeout
        while self._socket.connect_ex(path) != 0:
            if time.monotonic() > end:
                raise TimeoutError(f"the link does not listen on {path}")
            time.sleep(0.01)
        self._lines = self._socket.makefile("rb")

    def _order(self, **order) -> dict:
        self._socket.sendall(json.dumps(order).encode() + b"\n")
        return json.loads(self._lines.readline())

    def set(self, *addresses: str, rtt_ms: float = 0.0, drop: bool = False, hold: bool = False) -> None:
        """Replaces the rule of these server addresses; "*" stands for every address without a rule."""
        self._order(do="set", addresses=list(addresses), rtt_ms=rtt_ms, drop=drop, hold=hold)

    def reset(self) -> None:
        """No rules, nothing on its way, an empty log."""
        self._order(do="reset")

    def forget(self) -> None:
        """Empties the log only."""
        self._order(do="forget")

    def _events(self, kinds: tuple[str, ...]) -> list[dict]:
        return [
            {"time": t, "kind": kind, "address": to, "port": port, "source_port": own}
            for t, kind, to, port, own in self._order(do="log")["events"]
            if kind in kinds
        ]

    def syns(self, port: int | None = None, again: bool = False) -> list[dict]:
        """The SYNs that left the client, first ones only unless `again`, in the order of their time (seconds)."""
        events = self._events(("syn", "syn-again") if again else ("syn",))
        return [e for e in events if port is None or e["port"] == port]

    def datagrams(self, port: int = 53) -> list[dict]:
        """The UDP datagrams that left the client for this port."""
        return [e for e in self._events(("udp",)) if e["port"] == port]

    def bytes_sent(self, port: int) -> dict[tuple[str, int], int]:
        """TCP payload bytes that left the client, by (server address, own port)."""
        return {(to, own): n for to, p, own, n in self._order(do="log")["tcp_bytes"] if p == port}

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--client", required=True, help="interface towards the client")
    parser.add_argument("--server", required=True, help="interface towards the server")
    parser.add_argument("--control", required=True, help="path of the control socket to make")
    arguments = parser.parse_args()
    try:
        os.nice(-10)  # a packet sent late by a busy machine is measured as a slower network
    except OSError:
        pass
    gc.disable()
    DelayLink(arguments.client, arguments.server, arguments.control).run()


if __name__ == "__main__":
    main()
