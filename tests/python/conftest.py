"""The package under test, installed in the environment that runs this (support/python_environment.py)."""

import socket
import threading

import pytest

import lbresolve


@pytest.fixture
def empty_file(tmp_path):
    path = tmp_path / "empty"
    path.write_text("")
    return path


@pytest.fixture
def resolver(dns_server, empty_file):
    """Asks the scripted server, and reads no file of this host's."""
    with lbresolve.Resolver(servers=[dns_server.address], hosts="", resolv_conf=empty_file) as made:
        yield made


class Listener:
    """Accepts on one port of several loopback addresses, and greets with the address that was reached."""

    def __init__(self, *hosts):
        self.accepted = []
        self._sockets = [socket.create_server((hosts[0], 0), backlog=512)]
        self.port = self._sockets[0].getsockname()[1]
        self._sockets += [socket.create_server((h, self.port), backlog=512) for h in hosts[1:]]
        for one in self._sockets:
            threading.Thread(target=self._run, args=(one,), daemon=True).start()

    def _run(self, listening):
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                host = connection.getsockname()[0]
                self.accepted.append(host)
                try:
                    connection.sendall(host.encode() + b"\n")
                except OSError:
                    pass  # gone already

    def close(self):
        for one in self._sockets:
            one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.fixture
def listener():
    made = Listener("127.0.0.11", "127.0.0.12")
    yield made
    made.close()


@pytest.fixture
def closed_port():
    """A port that refuses."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]


@pytest.fixture
def silent():
    """An address that never answers: Linux drops a SYN to a full accept queue."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.18", 0))
        listening.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield listening.getsockname()
        for filler in fillers:
            filler.close()
