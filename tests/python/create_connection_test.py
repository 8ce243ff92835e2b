"""create_connection() beside the one that it stands in for: each case is given to both."""

import errno
import socket
import sys

import pytest

import lbresolve

HOSTS = ["127.0.0.1", "localhost", b"127.0.0.1", None, "127.1", "0x7f.0.0.1"]
NO_HOSTS = ["", ".", "..", ".example", "a b", "[::1]", "\0", "x" * 70 + ".example", "nosuch.invalid",
            "b\u00fccher.invalid", "fe80::1%none"]


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def both(*arguments, **more):
    """What each of the two gives or raises."""
    ended = []
    for call in (socket.create_connection, lbresolve.create_connection):
        try:
            ended.append(call(*arguments, **more))
        except Exception as e:
            ended.append(e)
    return ended


def close(*sockets):
    for one in sockets:
        one.close()


def assert_raised_alike(theirs, ours):
    assert isinstance(theirs, Exception) and isinstance(ours, Exception), (theirs, ours)
    kinds = [k for k in (UnicodeError, socket.gaierror, TimeoutError, ConnectionRefusedError, OSError, ValueError,
                         TypeError) if isinstance(theirs, k)]
    assert kinds and isinstance(ours, kinds[0]), (theirs, ours)
    if isinstance(theirs, OSError) and theirs.errno is not None:
        assert ours.errno == theirs.errno, (theirs, ours)


@pytest.mark.rule("USE-03")
@pytest.mark.parametrize("host", HOSTS, ids=repr)
def test_a_host_is_connected_to_where_the_socket_module_connects(host, port):
    theirs, ours = both((host, port), 5)
    assert isinstance(ours, socket.socket) and type(ours) is type(theirs), (theirs, ours)
    assert ours.getpeername() == theirs.getpeername()
    assert (ours.family, ours.type, ours.proto) == (theirs.family, theirs.type, theirs.proto)
    assert ours.get_inheritable() is theirs.get_inheritable() is False
    close(theirs, ours)


@pytest.mark.rule("USE-03")
@pytest.mark.parametrize("host", NO_HOSTS, ids=repr)
def test_what_is_no_host_raises_what_the_socket_module_raises(host, port, monkeypatch):
    assert_raised_alike(*both((host, port), 5))


@pytest.mark.rule("USE-03")
@pytest.mark.parametrize("given", [0, None, -1, "nosuch-service", 1.5], ids=repr)
def test_what_is_no_port_raises_what_the_socket_module_raises(given):
    assert_raised_alike(*both(("127.0.0.1", given), 5))


@pytest.mark.rule("USE-03")
@pytest.mark.parametrize("address", ["127.0.0.1", ("127.0.0.1",), ("127.0.0.1", 1, 2), (127, 1)], ids=repr)
def test_what_is_no_address_raises_what_the_socket_module_raises(address):
    assert_raised_alike(*both(address, 5))


@pytest.mark.rule("USE-03")
@pytest.mark.parametrize("timeout", [0, -1, "1", float("nan")], ids=repr)
def test_what_is_no_timeout_raises_what_the_socket_module_raises(timeout, port):
    assert_raised_alike(*both(("127.0.0.1", port), timeout))


@pytest.mark.rule("USE-03")
def test_a_port_may_be_text(port):
    theirs, ours = both(("127.0.0.1", str(port)), 5)
    assert ours.getpeername() == theirs.getpeername()
    close(theirs, ours)


@pytest.mark.rule("USE-03")
@pytest.mark.parametrize("timeout", [None, 3.5, 1])
def test_the_timeout_is_that_of_the_socket_too(timeout, port):
    theirs, ours = both(("127.0.0.1", port), timeout)
    assert (ours.gettimeout(), ours.getblocking()) == (theirs.gettimeout(), theirs.getblocking()) == (timeout, True)
    close(theirs, ours)


@pytest.mark.rule("USE-03")
@pytest.mark.parametrize("default", [None, 7.0])
def test_the_default_timeout_is_that_of_the_socket_module(default, port, monkeypatch):
    socket.setdefaulttimeout(default)
    try:
        theirs, ours = both(("127.0.0.1", port))
    finally:
        socket.setdefaulttimeout(None)
    assert ours.gettimeout() == theirs.gettimeout() == default
    close(theirs, ours)


@pytest.mark.rule("USE-03")
def test_a_socket_that_was_made_blocks(port):
    listening = socket.create_server(("127.0.0.1", 0))
    with listening, lbresolve.create_connection(listening.getsockname()) as ours:
        theirs, _ = listening.accept()
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"
        theirs.close()
        assert ours.recv(1) == b""


@pytest.mark.rule("USE-03")
def test_refused_everywhere_is_ConnectionRefusedError(closed_port):
    theirs, ours = both(("127.0.0.1", closed_port), 5)
    assert_raised_alike(theirs, ours)
    assert isinstance(ours, lbresolve.ConnectError) and isinstance(ours, ConnectionRefusedError)
    assert [(a.endpoint.port, a.error.errno) for a in ours.attempts] == [(closed_port, errno.ECONNREFUSED)]


@pytest.mark.rule("USE-03")
def test_silence_is_TimeoutError(silent):
    theirs, ours = both(silent, 0.2)
    assert isinstance(theirs, socket.timeout) and isinstance(ours, socket.timeout) and isinstance(ours, TimeoutError)
    assert isinstance(ours, lbresolve.ConnectTimeout) and ours.errno == errno.ETIMEDOUT


@pytest.mark.rule("USE-03")
def test_a_source_address_is_bound(port):
    theirs, ours = both(("127.0.0.1", port), 5, ("127.0.0.9", 0))
    assert ours.getsockname()[0] == theirs.getsockname()[0] == "127.0.0.9"
    close(theirs, ours)
    with socket.create_server(("127.0.0.9", 0)) as other:
        free = other.getsockname()[1]
    with lbresolve.create_connection(("127.0.0.1", port), 5, ("127.0.0.9", free)) as bound:
        assert bound.getsockname() == ("127.0.0.9", free)
    theirs, ours = both(("127.0.0.1", port), 5, ("", 0))
    assert ours.getpeername() == theirs.getpeername()
    close(theirs, ours)


@pytest.mark.rule("USE-03")
def test_a_source_address_that_is_not_ours_raises_what_the_socket_module_raises(port):
    assert_raised_alike(*both(("127.0.0.1", port), 5, ("192.0.2.1", 0)))


@pytest.mark.rule("USE-03")
@pytest.mark.skipif(sys.version_info < (3, 11), reason="ExceptionGroup came with Python 3.11")
def test_all_errors_are_a_group(closed_port, silent):
    theirs, ours = both(("127.0.0.1", closed_port), 5, all_errors=True)
    assert isinstance(ours, ExceptionGroup) and str(ours) == "create_connection failed (1 sub-exception)"   # noqa: F821
    assert [type(e) for e in ours.exceptions] == [lbresolve.ConnectRefused]


@pytest.mark.rule("USE-03")
def test_a_name_that_is_not_there_is_gaierror(resolver, dns_server):
    dns_server.answers[("empty.test", "TXT")] = []
    dns_server.answers[("broken.test", "*")] = __import__("dns_server").servfail()
    for name, number in (("nosuch.test", socket.EAI_NONAME), ("empty.test", socket.EAI_NODATA),
                         ("broken.test", socket.EAI_AGAIN)):
        with pytest.raises(socket.gaierror) as raised:
            resolver.create_connection((name, 80), 5)
        assert raised.value.errno == number and isinstance(raised.value, lbresolve.ResolveError)
        assert raised.value.trace.queries[0].name == name
