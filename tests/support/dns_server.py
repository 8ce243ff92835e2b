"""A scripted DNS server on loopback, for tests: standard library only.

    with DnsServer({
        ("www.example", "A"): [a("192.0.2.1"), a("192.0.2.2", ttl=60)],
        ("www.example", "AAAA"): Reply([aaaa("2001:db8::1")], delay=0.2),
        ("alias.example", "CNAME"): cname("www.example"),
        ("slow.example", "A"): DROP,
        ("broken.example", "*"): servfail(ede=[(22, "no reachable authority")]),
    }) as server:
        subprocess.run([binary, "resolve", "www.example", f"@{server.address}"])
        assert [q.type for q in server.queries] == ["A", "AAAA"]

What a question gets, first match wins: answers[(name, type)]; answers[(name, "*")]; a CNAME at the name, followed
through `answers`; NODATA where the name is known with another type; answers[("*", type)]; answers[("*", "*")];
NXDOMAIN. Negative replies carry an SOA, so that they can be cached (RFC 2308).

An answer is a record, a list of records, a Reply, DROP (silence), or a function of the Query that gives one of these
(None is silence too). `answers`, `delay` and `drop` may be changed while the server runs.

As a command: python3 dns_server.py --port 5300 --zone FILE   (see `read_zone` for the format)
"""

from __future__ import annotations

import argparse
import dataclasses
import ipaddress
import select
import socket
import struct
import sys
import threading
import time
from typing import Callable, Dict, List, Optional, Sequence, Tuple, Union

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33, "OPT": 41, "SVCB": 64,
         "HTTPS": 65, "ANY": 255}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
RCODES = {"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5}

Name = Union[str, Sequence[bytes]]  # "www.example", or raw labels for what no text can say


def encode_name(name: Name) -> bytes:
    """Wire form, uncompressed. Text is split at dots; labels given as bytes are taken as they are."""
    labels = [label.encode("latin-1") for label in name.split(".") if label] if isinstance(name, str) else name
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def type_number(kind: Union[str, int]) -> int:
    if isinstance(kind, int):
        return kind
    return TYPES[kind] if kind in TYPES else int(kind.removeprefix("TYPE"))


@dataclasses.dataclass
class Record:
    """One resource record. `name` None is the name that was asked, or the end of the CNAMEs before it."""

    type: Union[str, int]
    rdata: bytes
    ttl: int = 300
    name: Optional[Name] = None
    target: Optional[Name] = None  # where a CNAME points


def a(text: str, ttl: int = 300, name: Optional[Name] = None) -> Record:
    return Record("A", ipaddress.IPv4Address(text).packed, ttl, name)


def aaaa(text: str, ttl: int = 300, name: Optional[Name] = None) -> Record:
    return Record("AAAA", ipaddress.IPv6Address(text).packed, ttl, name)


def cname(target: Name, ttl: int = 300, name: Optional[Name] = None) -> Record:
    return Record("CNAME", encode_name(target), ttl, name, target)


def txt(text: Union[str, bytes], ttl: int = 300, name: Optional[Name] = None) -> Record:
    raw = text.encode() if isinstance(text, str) else text
    return Record("TXT", bytes([len(raw)]) + raw, ttl, name)


def soa(zone: Name = "", minimum: int = 30, ttl: int = 30) -> Record:
    numbers = struct.pack("!5I", 1, 3600, 600, 86400, minimum)
    return Record("SOA", encode_name("ns.invalid") + encode_name("host.invalid") + numbers, ttl, zone)


def srv(priority: int, weight: int, port: int, target: Name = ".", ttl: int = 300,
        name: Optional[Name] = None) -> Record:
    """RFC 2782."""
    return Record("SRV", struct.pack("!3H", priority, weight, port) + encode_name(target), ttl, name)


def https(priority: int, target: Name = ".", params: Optional[Dict[int, bytes]] = None, ttl: int = 300,
          name: Optional[Name] = None, kind: str = "HTTPS") -> Record:
    """RFC 9460 section 2.2. `params` maps key numbers to their wire values: {1: b"\\x02h2", 3: b"\\x20\\xfb"}."""
    values = b"".join(struct.pack("!HH", key, len(v)) + v for key, v in sorted((params or {}).items()))
    return Record(kind, struct.pack("!H", priority) + encode_name(target) + values, ttl, name)


@dataclasses.dataclass
class Reply:
    """What to send back, and how. Times in seconds."""

    records: Sequence[Record] = ()
    rcode: Union[int, str] = 0
    authority: Sequence[Record] = ()
    additional: Sequence[Record] = ()
    ede: Sequence[Tuple[int, Union[str, bytes]]] = ()  # Extended DNS Errors (RFC 8914); sent only to EDNS queries
    delay: float = 0.0
    drop: bool = False
    truncate: bool = False                    # TC over UDP: the whole answer only over TCP
    edns: bool = True                         # False: as a server from before EDNS, no OPT in the reply
    edns_size: int = 1232
    flags: int = 0x8180                       # QR RD RA; | 0x0400 is AA, | 0x0020 AD
    edit: Optional[Callable[[bytes], bytes]] = None   # last hand on the bytes: to break them
    copies: int = 1                           # how often the reply is sent, over UDP
    # Datagrams sent at once, before `delay`, each made from the true reply's bytes: what an attacker would send.
    forged: Sequence[Callable[[bytes], bytes]] = ()
    hang_up: bool = False                     # TCP: the connection is closed after this reply


DROP = Reply(drop=True)


def _failure(rcode: str, **more) -> Reply:
    return Reply(rcode=rcode, **more)


def nxdomain(zone: Name = "", minimum: int = 30, **more) -> Reply:
    return Reply(rcode="NXDOMAIN", authority=[soa(zone, minimum, minimum)], **more)


def nodata(zone: Name = "", minimum: int = 30, **more) -> Reply:
    return Reply(authority=[soa(zone, minimum, minimum)], **more)


def servfail(**more) -> Reply:
    return _failure("SERVFAIL", **more)


def refused(**more) -> Reply:
    return _failure("REFUSED", **more)


@dataclasses.dataclass
class Query:
    """One question received. `name` in lower case as text (latin-1), without the trailing dot."""

    name: str
    type: str
    id: int
    transport: str                  # "udp" or "tcp"
    client: Tuple[str, int]
    at: float                       # time.monotonic()
    raw: bytes
    question: bytes                 # the question section, byte for byte (0x20 case kept)
    edns: bool = False
    edns_size: int = 512
    edns_options: Dict[int, bytes] = dataclasses.field(default_factory=dict)   # 8 is Client Subnet


def parse_query(data: bytes, transport: str, client: Tuple[str, int]) -> Query:
    """Reads a query of one question; raises ValueError or IndexError or struct.error on anything else."""
    ident, flags, questions, _, _, additional = struct.unpack("!6H", data[:12])
    if flags & 0x8000 or questions != 1:
        raise ValueError("not a query of one question")
    at, labels = 12, []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]])
        at += 1 + data[at]
    qtype = struct.unpack("!H", data[at + 1:at + 3])[0]
    end = at + 5
    name = b".".join(labels).decode("latin-1").lower()
    query = Query(name, TYPE_NAMES.get(qtype, f"TYPE{qtype}"), ident, transport, client[:2], time.monotonic(), data,
                  data[12:end])
    if additional and data[end:end + 3] == b"\0\0\x29":
        query.edns = True
        query.edns_size, _, length = struct.unpack("!HIH", data[end + 3:end + 11])
        options, stop = end + 11, end + 11 + length
        while options + 4 <= stop:
            code, size = struct.unpack("!HH", data[options:options + 4])
            query.edns_options[code] = data[options + 4:options + 4 + size]
            options += 4 + size
    return query


def build_reply(query: Query, reply: Reply) -> bytes:
    """The reply's wire form. Records without a name take the asked one, by a pointer to the question."""
    rcode = RCODES[reply.rcode] if isinstance(reply.rcode, str) else reply.rcode
    asked = b"\xc0\x0c"

    def section(records: Sequence[Record], owner: bytes) -> bytes:
        out = b""
        for record in records:
            name = owner if record.name is None else encode_name(record.name)
            out += name + struct.pack("!HHIH", type_number(record.type), 1, record.ttl, len(record.rdata))
            out += record.rdata
            if record.target is not None:
                owner = encode_name(record.target)
        return out

    def whole(answers, authority, additional, extra_flags=0) -> bytes:
        tail, opt = b"", 0
        if query.edns and reply.edns:
            options = b""
            for code, text in reply.ede:
                value = struct.pack("!H", code) + (text.encode() if isinstance(text, str) else text)
                options += struct.pack("!HH", 15, len(value)) + value
            tail = b"\0" + struct.pack("!HHBBHH", 41, reply.edns_size, rcode >> 4, 0, 0, len(options)) + options
            opt = 1
        head = struct.pack("!6H", query.id, (reply.flags | extra_flags) & 0xfff0 | (rcode & 15), 1, len(answers),
                           len(authority), len(additional) + opt)
        return (head + query.question + section(answers, asked) + section(authority, asked)
                + section(additional, asked) + tail)

    data = whole(reply.records, reply.authority, reply.additional)
    if query.transport == "udp" and (reply.truncate or len(data) > max(512, query.edns_size)):
        data = whole([], [], [], 0x0200)
    return reply.edit(data) if reply.edit else data


Answer = Union[Record, Sequence[Record], Reply, Callable[[Query], object], None]


class DnsServer:
    """Runs from construction (or `with`) to close(), over UDP and TCP on one port that the kernel chooses."""

    def __init__(self, answers: Optional[Dict[Tuple[str, str], Answer]] = None, *, host: str = "127.0.0.1",
                 port: int = 0, delay: float = 0.0, drop: bool = False, tcp: bool = True):
        self.answers: Dict[Tuple[str, str], Answer] = dict(answers or {})
        self.delay = delay              # seconds, before every reply
        self.drop = drop                # True: silent to everybody
        self.queries: List[Query] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._connections: List[socket.socket] = []
        self.host = host
        self._udp, self._tcp = self._bind(host, port, tcp)
        self.port: int = self._udp.getsockname()[1]
        self._wake_read, self._wake_write = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """As the command takes it: "127.0.0.1:5353" or "[::1]:5353"."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def asked(self, name: str, kind: Optional[str] = None) -> List[Query]:
        """The queries received for a name, in their order."""
        with self._lock:
            return [q for q in self.queries if q.name == name.lower() and kind in (None, q.type)]

    def wait_for(self, count: int, timeout: float = 5.0) -> List[Query]:
        """Waits until `count` queries came; gives what there is when time is up."""
        end = time.monotonic() + timeout
        while len(self.queries) < count and time.monotonic() < end:
            time.sleep(0.005)
        return list(self.queries)

    def close(self) -> None:
        if self._closing.is_set():
            return
        self._closing.set()
        self._wake_write.send(b"x")
        self._thread.join()
        for one in [self._udp, self._tcp, self._wake_read, self._wake_write, *self._connections]:
            if one is not None:
                one.close()

    def __enter__(self) -> "DnsServer":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @staticmethod
    def _bind(host: str, port: int, tcp: bool) -> Tuple[socket.socket, Optional[socket.socket]]:
        """UDP and TCP on one port. The kernel chooses for UDP, and TCP may find it taken: then once more."""
        kind = socket.AF_INET6 if ":" in host else socket.AF_INET
        for attempt in range(50):
            udp = socket.socket(kind, socket.SOCK_DGRAM)
            udp.bind((host, port))
            if not tcp:
                return udp, None
            stream = socket.socket(kind, socket.SOCK_STREAM)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                stream.bind((host, udp.getsockname()[1]))
                stream.listen(64)
                return udp, stream
            except OSError:
                udp.close()
                stream.close()
                if port or attempt == 49:
                    raise
        raise AssertionError("not reached")

    def _run(self) -> None:
        listening = [self._udp, self._wake_read] + ([self._tcp] if self._tcp else [])
        while not self._closing.is_set():
            readable, _, _ = select.select(listening, [], [])
            if self._udp in readable:
                try:
                    data, client = self._udp.recvfrom(65535)
                except OSError:  # an ICMP error for an earlier reply
                    continue
                self._take(data, "udp", client, lambda out, to=client: self._udp.sendto(out, to))
            if self._tcp is not None and self._tcp in readable:
                stream, client = self._tcp.accept()
                self._connections.append(stream)
                threading.Thread(target=self._serve_stream, args=(stream, client), daemon=True).start()

    def _serve_stream(self, stream: socket.socket, client) -> None:
        def exactly(count: int) -> bytes:
            data = b""
            while len(data) < count:
                more = stream.recv(count - len(data))
                if not more:
                    raise EOFError
                data += more
            return data

        def send(out: bytes) -> None:
            stream.sendall(struct.pack("!H", len(out)) + out)

        def hang_up() -> None:
            stream.shutdown(socket.SHUT_RDWR)

        try:
            while True:
                self._take(exactly(struct.unpack("!H", exactly(2))[0]), "tcp", client, send, hang_up)
        except (OSError, EOFError):
            stream.close()

    def _take(self, data: bytes, transport: str, client, send: Callable[[bytes], object],
              hang_up: Callable[[], None] = lambda: None) -> None:
        try:
            query = parse_query(data, transport, client)
        except (ValueError, IndexError, struct.error):
            return
        with self._lock:
            self.queries.append(query)
        if self.drop:
            return
        reply = self.choose(query)
        if reply.drop:
            return
        out = build_reply(query, reply)
        if transport == "udp":
            for forge in reply.forged:
                send(forge(out))

        def deliver() -> None:
            for _ in range(reply.copies if transport == "udp" else 1):
                try:
                    send(out)
                    if reply.hang_up:
                        hang_up()
                except OSError:
                    pass  # the client has gone, or the test is over

        wait = self.delay + reply.delay
        if wait <= 0:
            deliver()
            return
        later = threading.Timer(wait, deliver)
        later.daemon = True
        later.start()

    def choose(self, query: Query) -> Reply:
        """The reply to one query, by the rules at the top of this file."""
        for key in ((query.name, query.type), (query.name, "*")):
            if key in self.answers:
                return self._as_reply(self.answers[key], query)
        if (query.name, "CNAME") in self.answers:
            return self._follow(query)
        if any(name == query.name for name, _ in self.answers):
            return nodata()
        for key in (("*", query.type), ("*", "*")):
            if key in self.answers:
                return self._as_reply(self.answers[key], query)
        return nxdomain()

    def _follow(self, query: Query) -> Reply:
        alias = self._as_reply(self.answers[(query.name, "CNAME")], query)
        target = alias.records[0].target if alias.records else None
        if not isinstance(target, str) or alias.drop:
            return alias
        rest = self.choose(dataclasses.replace(query, name=target.lower().rstrip(".")))
        return dataclasses.replace(rest, records=[*alias.records, *rest.records], delay=alias.delay + rest.delay)

    @staticmethod
    def _as_reply(answer: Answer, query: Query) -> Reply:
        if callable(answer):
            answer = answer(query)
        if answer is None:
            return DROP
        if isinstance(answer, Reply):
            return answer
        return Reply([answer] if isinstance(answer, Record) else list(answer))


def read_zone(text: str) -> Dict[Tuple[str, str], Answer]:
    """One record a line: "name ttl type value", types A, AAAA, CNAME, TXT. Comments begin with #.

    "name drop type" is silence for that question, "name delay:0.5 type" delays it (after its records),
    "name rcode:SERVFAIL type" fails it. A type of * is any.
    """
    make = {"A": a, "AAAA": aaaa, "CNAME": cname, "TXT": txt}
    found: Dict[Tuple[str, str], Reply] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].strip().split(None, 3)
        if not words:
            continue
        if len(words) < 3:
            raise ValueError(f"line {number}: expected: name ttl type value")
        reply = found.setdefault((words[0].lower().rstrip("."), words[2].upper()), Reply([]))
        verb, _, value = words[1].partition(":")
        if verb == "drop":
            reply.drop = True
        elif verb == "delay":
            reply.delay = float(value)
        elif verb == "rcode":
            reply.rcode = value.upper()
        else:
            reply.records.append(make[words[2].upper()](words[3], int(words[1])))
    return dict(found)


def main() -> int:
    parser = argparse.ArgumentParser(description="A scripted DNS server on loopback, for tests.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: the kernel chooses")
    parser.add_argument("--zone", type=argparse.FileType(), required=True, help="see read_zone")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before every reply")
    settings = parser.parse_args()
    with DnsServer(read_zone(settings.zone.read()), host=settings.host, port=settings.port,
                   delay=settings.delay) as server:
        print(f"listening on {server.address}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
