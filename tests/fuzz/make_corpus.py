#!/usr/bin/env python3
"""Writes the seeds into corpus/: one file for each thing a message, name, binding or address can be, for fuzz_message;
state files for fuzz_state_store; what servers send over TLS and HTTPS for fuzz_stream and fuzz_http2.

    python3 tests/fuzz/make_corpus.py

The files are committed; run it again after adding a seed. Nothing random, nothing recorded from the network.
"""

import pathlib
import re
import sqlite3
import struct
import tempfile

A, NS, CNAME, SOA, TXT, AAAA, SRV, DNAME, OPT, SVCB, HTTPS = 1, 2, 5, 6, 16, 28, 33, 39, 41, 64, 65
IN = 1
QNAME = b"\xc0\x0c"  # a pointer to the question


def name(text):
    labels = [part.encode() for part in text.split(".") if part]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def pointer(offset):
    return struct.pack(">H", 0xC000 | offset)


def record(owner, rtype, data, ttl=60, rclass=IN):
    return owner + struct.pack(">HHIH", rtype, rclass, ttl, len(data)) + data


def option(code, data):
    return struct.pack(">HH", code, len(data)) + data


def opt(options=b"", extended=0, size=1232, flags=0):
    return record(b"\0", OPT, options, extended << 24 | flags, size)


def message(qname="www.example.com", qtype=A, answer=(), authority=(), additional=(), flags=0x8180, question=None):
    if question is None:
        question = name(qname) + struct.pack(">HH", qtype, IN)
    header = struct.pack(">HHHHHH", 0x1234, flags, 1 if question else 0, len(answer), len(authority), len(additional))
    return header + question + b"".join([*answer, *authority, *additional])


def soa(ttl=900, minimum=300, owner=pointer(16)):
    data = b"\x02ns" + pointer(16) + b"\x05admin" + pointer(16) + struct.pack(">IIIII", 1, 7200, 900, 86400, minimum)
    return record(owner, SOA, data, ttl)


def a(owner=QNAME, last=1, ttl=60):
    return record(owner, A, bytes([192, 0, 2, last]), ttl)


def aaaa(owner=QNAME, last=1):
    return record(owner, AAAA, bytes.fromhex("20010db8") + bytes(11) + bytes([last]))


def cname(owner, target, ttl=60):
    return record(owner, CNAME, target, ttl)


def srv(target, priority=1, weight=10, port=80):
    return record(QNAME, SRV, struct.pack(">HHH", priority, weight, port) + target)


def params(*pairs):
    return b"".join(option(key, value) for key, value in pairs)


ALPN = (1, b"\x02h2\x02h3")
FULL = params((0, b"\0\1\0\3"), ALPN, (2, b""), (3, b"\x20\xfb"), (4, bytes([192, 0, 2, 7])), (5, b"ech"),
              (6, bytes(15) + b"\1"), (7, b"/dns-query{?dns}"), (667, b"x"))


def binding(priority=1, target=b"\0", values=FULL):
    return struct.pack(">H", priority) + target + values


def messages():
    service = {"qname": "_http._tcp.example.com", "qtype": SRV}
    yield "answer-common", message(answer=[cname(QNAME, b"\x04edge\x03cdn" + pointer(16)), *[
        a(pointer(45), last) for last in (1, 2, 3, 4)]], additional=[opt()])
    yield "answer-a-before-cname", message(answer=[a(name("b.example.com")), cname(QNAME, name("b.example.com"))])
    yield "answer-aaaa", message(qtype=AAAA, answer=[aaaa(), aaaa(last=2)])
    yield "answer-duplicates", message(answer=[a(), a(), a(last=2)])
    yield "answer-many", message(answer=[a(last=last) for last in range(40)])
    yield "answer-ttl-top-bit", message(answer=[a(ttl=0x80000001), a(ttl=0)])
    yield "answer-other-class", message(answer=[record(QNAME, A, b"\1\2\3\4\5", rclass=3)])
    yield "answer-off-chain", message(answer=[a(name("other.example.com")), cname(name("x"), name("y")), a()])
    yield "answer-dname", message(answer=[record(pointer(16), DNAME, name("example.net")),
                                          cname(QNAME, name("www.example.net")), a(name("www.example.net"))])
    yield "answer-no-question", message(question=b"", answer=[a(name("www.example.com"))])
    yield "chain-16", message(answer=[cname(name(f"n{i}") if i else QNAME, name(f"n{i + 1}")) for i in range(16)]
                              + [a(name("n16"))])
    yield "chain-17", message(answer=[cname(name(f"n{i}") if i else QNAME, name(f"n{i + 1}")) for i in range(17)])
    yield "chain-loop", message(answer=[cname(QNAME, name("b")), cname(name("b"), name("c")), cname(name("c"), QNAME)])
    yield "chain-self", message(answer=[cname(QNAME, QNAME)])
    yield "chain-two", message(answer=[cname(QNAME, name("b")), cname(QNAME, name("c"))])
    yield "chain-65", message(answer=[cname(name("x"), name("y"))] * 65)
    yield "nodata-soa", message(authority=[soa()])
    yield "nodata-bare", message()
    yield "nxdomain-chain", message(flags=0x8183, answer=[cname(QNAME, name("gone.example.com"))], authority=[soa()])
    yield "referral", message(authority=[record(name("com"), NS, name("ns.com"))], additional=[a(name("ns.com"))])
    for code in (1, 2, 4, 5):
        yield f"rcode-{code}", message(flags=0x8180 | code)
    yield "rcode-badvers", message(additional=[opt(extended=1)])
    yield "ede", message(flags=0x8182, additional=[opt(option(10, bytes(8)) + option(15, b"\0\x06DNSSEC bogus"))])
    yield "ede-short", message(additional=[opt(option(15, b"\0"))])
    yield "opt-option-too-long", message(additional=[opt(b"\0\x0f\0\x09")])
    yield "opt-twice", message(additional=[opt(), opt()])
    yield "opt-in-answer", message(answer=[opt()])
    yield "srv", message(**service, answer=[srv(name("a.example.com")), srv(b"\x01b" + pointer(23)), srv(b"\0")])
    yield "srv-short", message(**service, answer=[record(QNAME, SRV, bytes(6))])
    yield "https", message(qtype=HTTPS, answer=[record(QNAME, HTTPS, binding()),
                                                record(QNAME, HTTPS, binding(0, name("alias.example.net"), b""))])
    yield "svcb", message(qtype=SVCB, answer=[record(QNAME, SVCB, binding(2, name("svc.example.net"), params(ALPN)))])
    yield "https-malformed", message(qtype=HTTPS, answer=[record(QNAME, HTTPS, binding(1, QNAME))])
    yield "query", message(flags=0x0100, additional=[opt(option(8, b"\0\1\x18\0\xc0\0\2") + option(12, bytes(60)))])
    yield "truncated-flag", message(flags=0x8380)
    yield "header-formerr", message(flags=0x8181, question=b"")
    yield "header-noerror", message(question=b"")
    yield "header-counts", struct.pack(">HHHHHH", 0x1234, 0x8180, *[0xFFFF] * 4)
    yield "two-questions", message()[:4] + b"\0\2" + message()[6:] + QNAME + b"\0\1\0\1"
    yield "trailing", message(answer=[a()]) + b"\0"
    yield "cut", message(answer=[a()])[:-1]
    yield "a-three-octets", message(answer=[record(QNAME, A, b"\1\2\3")])
    yield "soa-short", message(authority=[record(QNAME, SOA, bytes(21))])


def names():
    longest = b"\x3f" + b"a" * 63 + b"\x3f" + b"b" * 63 + b"\x3f" + b"c" * 63
    here = len(message())
    yield "name-pointer-self", message(answer=[record(pointer(here), TXT, b"")])
    yield "name-pointer-forward", message(answer=[record(pointer(here + 2), TXT, b"")])
    yield "name-pointer-header", message(answer=[record(pointer(4), TXT, b"")])
    yield "name-pointer-label-loop", message(answer=[record(b"\1a" + pointer(here), TXT, b"")])
    data_at = here + 11
    yield "name-pointer-mutual", message(answer=[record(b"\0", TXT, pointer(data_at + 2) + pointer(data_at)),
                                                 record(pointer(data_at), TXT, b"")])
    for count in (126, 200):
        chain = name("x") + b"".join(pointer(data_at + (0 if i == 0 else 1 + 2 * i)) for i in range(count))
        yield f"name-pointer-{count}", message(answer=[
            record(b"\0", TXT, chain), record(pointer(data_at + 1 + 2 * count), TXT, b"")])
    for size in (254, 255, 256):
        head = size - len(longest) - 2
        yield f"name-{size}", message(answer=[record(longest + bytes([head]) + b"d" * head + b"\0", TXT, b"")])
    yield "name-type-40", message(answer=[record(b"\x40\0", TXT, b"")])
    yield "name-type-80", message(answer=[record(b"\x80\0", TXT, b"")])
    yield "name-127-labels", message(answer=[record(b"\1a" * 127 + b"\0", TXT, b"")])
    yield "name-hostile", message(answer=[record(b"\x04\x1b[2J\x03a.b\0", TXT, b"")])
    yield "wire-name", name("www.example.com")
    yield "text-name", b"_http._tcp.Example.com."
    yield "text-escapes", rb"a\.b.\027[2J\\.\255"


def values():
    yield "binding", binding()
    yield "binding-alias", binding(0, name("pool.example.net"), b"")
    yield "binding-unordered", binding(values=params((3, b"\0\1"), ALPN))
    yield "address-v4", b"192.0.2.1"
    yield "address-v6", b"2001:db8:0:0:1::1%3"
    yield "address-mapped", b"::ffff:192.0.2.1"
    yield "subnet", b"2001:db8::/56"


def state_file(*statements):
    """A state file of small pages, after the octet that says "no journal"."""
    source = pathlib.Path(__file__).parents[2] / "lib/io/state_session.cpp"
    sql = {found[1]: "".join(re.findall(r'"([^"]*)"', found[2]))
           for found in re.finditer(r'constexpr const char\* (\w+_sql) =\s*((?:"[^"]*"\s*)+);', source.read_text())}
    now = 1_750_000_000_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "state"
        database = sqlite3.connect(path)
        database.execute("PRAGMA page_size = 512")
        database.executescript(";".join([sql["table_sql"], sql["index_sql"], sql["header_sql"]]))
        for n in range(4):
            database.execute("INSERT INTO health VALUES (7, ?, 443, ?, 5000, 100, 0, 3, ?, 0, 0, ?)",
                             (bytes([192, 0, 2, n]), now - n, n, now + 1 if n else None))
        for statement in statements:
            database.execute(statement)
        database.commit()
        database.close()
        return b"\0" + path.read_bytes()


def states():
    yield "state-rows", state_file()
    yield "state-empty", state_file("DELETE FROM health")
    yield "state-types", state_file("UPDATE health SET srtt = 'x', rttvar = 1.5 WHERE failures = 1")
    yield "state-ranges", state_file("UPDATE health SET port = 70000, seen = 9223372036854775807 WHERE failures = 1")
    yield "state-trigger", state_file("CREATE TRIGGER t AFTER INSERT ON health BEGIN DELETE FROM health; END")
    yield "state-newer", state_file("PRAGMA user_version = 2")


def framed(content):
    return struct.pack(">H", len(content)) + content


def http2_frame(kind, flags, stream, content):
    return struct.pack(">I", len(content))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + content


def streams():
    reply = message(answer=[record(QNAME, A, b"\xc0\0\2\1")])
    yield "stream-reply", framed(reply)
    yield "stream-two", framed(reply) + framed(reply)
    yield "stream-cut", framed(reply) + framed(reply)[:9]
    yield "head-good", b":status:200\ncontent-type:application/dns-message\nage:20"
    yield "head-redirect", b":status:302\nlocation:https://\x1b[2J"
    settings = http2_frame(4, 0, 0, struct.pack(">HI", 3, 1))
    media = b"application/dns-message"
    head = http2_frame(1, 4, 1, b"\x88\x0f\x10" + bytes([len(media)]) + media)  # :status 200, content-type
    yield "http2-answer", settings + head + http2_frame(0, 1, 1, reply)
    yield "http2-goaway", settings + head + http2_frame(7, 0, 0, struct.pack(">II", 1, 0))
    yield "http2-reset", settings + http2_frame(3, 0, 1, struct.pack(">I", 7)) + http2_frame(3, 0, 3, bytes(4))
    yield "http2-push", settings + http2_frame(5, 4, 1, struct.pack(">I", 2) + b"\x82")


def main():
    folder = pathlib.Path(__file__).with_name("corpus")
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for label, content in [*messages(), *names(), *values(), *states(), *streams()]:
        (folder / label).write_bytes(content)


if __name__ == "__main__":
    main()
