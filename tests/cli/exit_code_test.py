"""USE-08: exit codes follow curl: 0 ok, 2 usage, 6 could not resolve, 7 could not connect, 28 timeout."""

import os
import signal
import subprocess
import time

import pytest
from backends import GOOD, REFUSING, SILENT
from dns_server import DROP, a, nodata, refused, servfail


@pytest.mark.rule("USE-08")
def test_zero_when_it_worked(lbresolve, dns_server, backends):
    dns_server.answers[("www.test", "A")] = a(GOOD)
    resolved = lbresolve.run("www.test", f"@{dns_server.address}")
    assert (resolved.code, resolved.err) == (0, "")
    connected = lbresolve.run("connect", f"www.test:{backends.port}", f"@{dns_server.address}")
    assert (connected.code, connected.err) == (0, "")
    assert f"connected to {GOOD}:{backends.port} in " in connected.out
    for flag in ("--help", "-h", "--version"):
        assert lbresolve.run(flag).code == 0


@pytest.mark.rule("USE-08")
@pytest.mark.parametrize("arguments", [[], ["--nope"], ["connect", "no-port.test"], ["@not-an-address", "www.test"]])
def test_two_for_wrong_usage(lbresolve, arguments):
    assert lbresolve.run(*arguments).code == 2


@pytest.mark.rule("USE-08")
@pytest.mark.parametrize("answer", [None, nodata(), servfail(), refused()], ids=["nxdomain", "nodata", "servfail", "refused"])
@pytest.mark.parametrize("command", ["resolve", "connect"])
def test_six_when_the_name_cannot_be_resolved(lbresolve, dns_server, command, answer):
    if answer is not None:
        dns_server.answers[("www.test", "*")] = answer
    ran = lbresolve.run(command, "www.test" + (":443" if command == "connect" else ""), f"@{dns_server.address}")
    assert ran.code == 6
    assert ran.err.startswith("lbresolve: ") and ran.err.count("\n") == 1 and "www.test" in ran.err


@pytest.mark.rule("USE-08")
def test_seven_when_nothing_accepts_and_the_race_is_shown_all_the_same(lbresolve, dns_server, backends):
    dns_server.answers[("dead.test", "A")] = a(REFUSING)
    ran = lbresolve.run("connect", f"dead.test:{backends.port}", f"@{dns_server.address}")
    assert ran.code == 7
    assert "refused" in ran.out and REFUSING in ran.out
    assert ran.err.startswith(f"lbresolve: could not connect to dead.test:{backends.port}")
    assert ran.err.count("\n") == 1


@pytest.mark.rule("USE-08")
def test_twenty_eight_when_a_lookup_runs_out_of_time(lbresolve, dns_server):
    dns_server.answers[("slow.test", "*")] = DROP
    resolving = lbresolve.run("resolve", "slow.test", "--timeout", "300ms", f"@{dns_server.address}")
    assert resolving.code == 28 and "slow.test" in resolving.err


@pytest.mark.rule("USE-08")
def test_twenty_eight_when_a_connect_runs_out_of_time(lbresolve, dns_server, backends):
    dns_server.answers[("silent.test", "A")] = a(SILENT)
    connecting = lbresolve.run("connect", f"silent.test:{backends.port}", "--timeout", "0.3", f"@{dns_server.address}")
    assert connecting.code == 28
    assert "no answer after" in connecting.out


@pytest.mark.rule("USE-08")
def test_of_several_the_first_failure_decides(lbresolve, dns_server):
    dns_server.answers.update({("www.test", "A"): a("192.0.2.1"), ("slow.test", "*"): DROP})
    ran = lbresolve.run("resolve", "www.test", "missing.test", "slow.test", "--timeout", "300ms", "--format", "short",
                        f"@{dns_server.address}")
    assert ran.code == 6
    assert ran.out == "192.0.2.1\n"
    assert ran.err.count("\n") == 2


@pytest.mark.rule("USE-05", "USE-08")
def test_one_hundred_and_thirty_on_ctrl_c_within_100_ms(lbresolve, dns_server, backends):
    dns_server.answers[("silent.test", "A")] = a(SILENT)
    process = subprocess.Popen(lbresolve.arguments("connect", f"silent.test:{backends.port}", f"@{dns_server.address}"),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    dns_server.wait_for(1)
    time.sleep(0.2)
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=5)
    assert time.monotonic() - asked < 0.1
    assert process.returncode == 130
    assert (out, err) == (b"", b"")


def test_ctrl_c_of_many_sums_up_what_is_done(lbresolve, dns_server, backends):
    dns_server.answers[("www.test", "A")] = a(GOOD)
    process = subprocess.Popen(
        lbresolve.arguments("connect", f"www.test:{backends.port}", "--count", "1000000", f"@{dns_server.address}"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=5)
    assert process.returncode == 130
    assert GOOD.encode() in first
    assert b" connected\n" in out and b"p50" in out


def test_a_reader_that_has_seen_enough_is_no_error(lbresolve, backends):
    """`| head` closes the pipe: quiet, and no further connects."""
    process = subprocess.Popen(lbresolve.arguments("connect", f"{GOOD}:{backends.port}", "--count", "1000000"),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(5) == 0
    assert err == b""


@pytest.mark.parametrize("arguments", [["localhost"], ["--help"], ["localhost", "--format", "json"]])
def test_what_cannot_be_written_is_an_error(lbresolve, arguments):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(lbresolve.arguments(*arguments), stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 23
    assert done.stderr == b"lbresolve: cannot write the output: No space left on device\n"


def test_a_closed_output_is_an_error_and_never_a_socket(lbresolve, dns_server):
    dns_server.answers[("www.test", "A")] = a("192.0.2.1")
    done = subprocess.run(lbresolve.arguments("www.test", f"@{dns_server.address}"), stderr=subprocess.PIPE,
                          preexec_fn=lambda: os.close(1), check=False)
    assert done.returncode == 23
    assert b"cannot write the output" in done.stderr
