"""How operations end: interrupted, and ten thousand times without a descriptor left over."""

import os
import time

import pytest
from backend import PORT
from client import interrupt
from dns_server import DROP
from network_lab import wait_until

NAME = "www.example.test"
TARGET = f"{NAME}:{PORT}"
DNS = "@192.0.2.53"


def interrupted(client, condition, *arguments, tries=3):
    """Ctrl-C once `condition` holds; milliseconds to the end, the best of a few tries (noise only adds)."""
    took = []
    for _ in range(tries):
        process = client.start(*arguments)
        wait_until(condition, what="the operation under way")
        took.append(interrupt(process))
        assert process.returncode == 130, process.communicate()
        process.communicate()
    print(f"interrupted after {took} ms")
    return min(took)


@pytest.mark.rule("HE-54")
def test_ctrl_c_ends_a_race_within_a_hundred_milliseconds(lab, backend, unbound, client):
    unbound({NAME: ["203.0.113.1", "203.0.113.2", "2001:db8:b::1"]})
    lab.drop("203.0.113.0/24", "2001:db8:b::/64")

    def racing():
        return len(lab.link.syns(PORT)) >= 2

    def once():
        lab.link.forget()
        return interrupted(client, racing, "connect", TARGET, DNS, tries=1)

    assert min(once() for _ in range(5)) <= 100


@pytest.mark.rule("HE-54")
def test_ctrl_c_ends_a_lookup_within_a_hundred_milliseconds(lab, scripted, client):
    server = scripted({(NAME, "*"): DROP})

    def once():
        server.queries.clear()
        return interrupted(client, lambda: server.queries, "resolve", NAME, "@192.0.2.60", tries=1)

    assert min(once() for _ in range(5)) <= 100


def descriptors(process, until):
    """The greatest number of open descriptors of a process, sampled until a condition holds or it ends."""
    most = 0
    while not until() and process.poll() is None:
        try:
            most = max(most, len(os.listdir(f"/proc/{process.pid}/fd")))
        except OSError:
            break  # it ended in between
        time.sleep(0.001)
    return most


@pytest.mark.rule("HE-55")
@pytest.mark.parametrize("count, parallel", [(10_000, 1), (5_000, 10)])
def test_thousands_of_connects_leave_no_descriptor_behind(lab, backend, unbound, client, count, parallel):
    unbound({NAME: ["203.0.113.1", "203.0.113.2", "2001:db8:b::1"]})
    process = client.start("connect", TARGET, DNS, "--count", str(count), "--parallel", str(parallel),
                           "--format", "short")
    output = _drain(process)

    def accepted():
        return sum(backend.accepted.values())

    wait_until(lambda: accepted() >= count // 50, timeout=20, what="the first connects")
    early = descriptors(process, lambda: accepted() >= count // 4)
    wait_until(lambda: accepted() >= count * 3 // 4, timeout=60, what="most connects")
    late = descriptors(process, lambda: False)
    assert process.wait(60) == 0, "".join(output)
    wait_until(lambda: accepted() >= count, what="the last connect at the server")
    print(f"at most {early} descriptors in the first quarter, {late} in the last")
    # How many sockets of one batch were seen open together is chance; two a connect are the most there can be.
    assert 0 < late <= early + 2 * parallel, "a leak would have shown thousands"


def _drain(process):
    """Reads what the process prints, so that it never waits for the pipe."""
    import threading

    lines = []
    for stream in (process.stdout, process.stderr):
        threading.Thread(target=lambda s=stream: lines.extend(s), daemon=True).start()
    return lines
