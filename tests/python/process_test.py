"""The package in its process: signals, forks, threads, memory."""

import gc
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from dns_server import DROP, Reply, a

import lbresolve


def run_python(script, *arguments, **more):
    """A fresh interpreter; its output."""
    return subprocess.run([sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)], capture_output=True,
                          text=True, timeout=60, check=False, **more)


def test_importing_starts_nothing():
    done = run_python("""
        import os, sys
        before = os.listdir("/proc/self/fd")
        import lbresolve
        assert len(os.listdir("/proc/self/task")) == 1
        assert os.listdir("/proc/self/fd") == before
        assert "asyncio" not in sys.modules
        lbresolve.Resolver()
        assert len(os.listdir("/proc/self/task")) == 1
        print(lbresolve.__version__)
    """)
    assert done.returncode == 0 and done.stdout.strip() == lbresolve.__version__, done.stderr


CALLS = {
    "a connect to an address that does not answer": "r.create_connection(({silent!r}, {port}))",
    "a connect to a name of such an address": "r.connect('silent.test:{port}')",
    "a lookup": "r.resolve('slow.test', timeout=30)",
    "a pick": "r.pick('slow.test:80')",
    "an explanation": "r.explain('slow.test:80', timeout=30)",
    "a probe": "r.probe('silent.test:{port}')",
}


@pytest.mark.rule("USE-05")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_ctrl_c_ends_a_call_that_waits_within_100_ms(call, dns_server, silent, empty_file):
    dns_server.answers.update({("slow.test", "*"): DROP, ("silent.test", "A"): [a(silent[0])]})
    program = textwrap.dedent("""
        import signal, sys, time
        import lbresolve
        # The tests may run in a shell's background, where SIGINT is ignored, and that is inherited.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        r = lbresolve.Resolver(servers=[sys.argv[1]], hosts="", resolv_conf=sys.argv[2], query_timeout=60,
                               try_timeout=60)
        print("ready", flush=True)
        try:
            CALL
        except KeyboardInterrupt:
            print(time.monotonic())
    """).replace("CALL", call.format(silent=silent[0], port=silent[1]))
    took = []
    for _ in range(5):  # a busy machine may be late once, not each time
        with subprocess.Popen([sys.executable, "-c", program, dns_server.address, str(empty_file)], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.3)
            sent = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
            assert process.returncode == 0 and out, err
            took.append(float(out) - sent)
        if took[-1] <= 0.1:
            return
    pytest.fail(f"took {took} s")


@pytest.mark.rule("USE-05")
def test_a_signal_handler_runs_while_a_call_waits(resolver, dns_server):
    dns_server.answers[("slow.test", "*")] = DROP
    seen = []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(time.monotonic()))
    try:
        began = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(lbresolve.ResolveTimeout):
            resolver.resolve("slow.test", timeout=0.6)
        assert seen and seen[0] - began < 0.4
    finally:
        signal.signal(signal.SIGALRM, before)


def test_other_threads_run_while_a_call_waits(resolver, dns_server):
    dns_server.answers[("slow.test", "A")] = Reply([a("192.0.2.1")], delay=0.3)
    waiting = threading.Thread(target=resolver.resolve, args=("slow.test",))
    waiting.start()
    turns, end = 0, time.monotonic() + 0.2
    while time.monotonic() < end:
        turns += 1
    waiting.join()
    assert turns > 1000


def test_threads_share_a_resolver(resolver, dns_server, listener):
    dns_server.answers[("www.test", "A")] = [a("127.0.0.11"), a("127.0.0.12")]
    target, done = f"www.test:{listener.port}", []

    def work():
        for _ in range(25):
            resolver.connect(target).close()
            resolver.pick(target)
            resolver.resolve("www.test", use_cache=False)
        done.append(True)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert len(done) == 8


# --- fork


def in_child(work, seconds=20):
    """Runs it in a child, which ends without cleaning up; True where it came through in time."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


@pytest.fixture
def busy(resolver, dns_server, listener):
    """The target of a resolver whose thread runs, and that has something under way."""
    dns_server.answers.update({("www.test", "A"): [a("127.0.0.11")], ("slow.test", "*"): DROP})
    target = f"www.test:{listener.port}"
    resolver.connect(target).close()
    resolver.pick(target)
    waiting = threading.Thread(target=lambda: pytest.raises(OSError, resolver.resolve, "slow.test", timeout=2))
    waiting.start()
    yield target
    waiting.join()


@pytest.mark.rule("USE-06")
def test_a_child_connects_after_fork(resolver, busy):
    def work():
        resolver.clear_cache()
        made = resolver.connect(busy)
        assert made.socket.recv(100) == b"127.0.0.11\n"
        made.close()
        assert resolver.pick(busy).address == "127.0.0.11"
        assert resolver.resolve("www.test").endpoints
        assert resolver.health()

    for _ in range(5):
        assert in_child(work)
    resolver.connect(busy).close()  # nor does the parent notice


@pytest.mark.rule("USE-06")
def test_a_child_runs_a_loop_of_its_own_after_fork(resolver, busy):
    import asyncio

    from lbresolve import aio

    async def connect():
        (await aio.connect(busy, resolver=resolver)).close()

    asyncio.run(connect())
    for _ in range(3):
        assert in_child(lambda: asyncio.run(connect()))
    asyncio.run(connect())


@pytest.mark.rule("USE-06")
def test_a_grandchild_connects_too(resolver, busy):
    def work():
        resolver.connect(busy).close()
        assert in_child(lambda: resolver.connect(busy).close())

    assert in_child(work)


@pytest.mark.rule("USE-06")
def test_a_child_that_makes_no_call_ends_cleanly():
    done = run_python("""
        import os, sys
        import lbresolve
        closed, kept = lbresolve.Resolver(policy="random"), lbresolve.Resolver()
        for r in closed, kept:
            r.pick("192.0.2.1:80")    # starts its thread
        child = os.fork()
        closed.close()
        if child:
            assert os.waitpid(child, 0)[1] == 0
        sys.exit(0)
    """)
    assert done.returncode == 0, done.stderr


def connect_once(server, empty, target):
    made = lbresolve.Resolver(servers=[server], hosts="", resolv_conf=empty).connect(target)
    with made:
        return made.socket.recv(100).decode()


@pytest.mark.rule("USE-06")
@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_processes_of_a_pool_connect(way, resolver, dns_server, empty_file, busy):
    with multiprocessing.get_context(way).Pool(2) as pool:
        got = pool.starmap_async(connect_once, [(dns_server.address, str(empty_file), busy)] * 8).get(timeout=30)
    assert got == ["127.0.0.11\n"] * 8


# --- leaks


def resident_kib():
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() // 1024


def one_hundred_thousand_calls(resolver, target, listener):
    def some(count):
        endpoint = resolver.pick(target)
        for _ in range(count):
            resolver.pick(target)
            resolver.begin(endpoint)
            resolver.report(endpoint, True, latency=0.001)
        for _ in range(count // 20):
            resolver.resolve("192.0.2.1:443").to_dict()
            resolver.resolve(target)
        for _ in range(count // 100):
            resolver.connect(target).close()
            with pytest.raises(lbresolve.ResolveError):
                resolver.resolve("nosuch.test")
        listener.accepted.clear()

    return some


def test_a_hundred_thousand_calls_leave_nothing_behind(resolver, dns_server, listener):
    dns_server.answers[("www.test", "A")] = [a("127.0.0.11")]
    some = one_hundred_thousand_calls(resolver, f"www.test:{listener.port}", listener)
    some(6_000)
    gc.collect()
    objects, resident, descriptors = len(gc.get_objects()), resident_kib(), len(os.listdir("/proc/self/fd"))
    for _ in range(4):
        some(8_000)
    gc.collect()
    end = time.monotonic() + 5  # the listener is in this process, and may have one more to close
    while len(os.listdir("/proc/self/fd")) > descriptors:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert len(gc.get_objects()) - objects < 200
    assert resident_kib() - resident < 4_096
