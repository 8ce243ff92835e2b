"""lbresolve.aio, under the loops of asyncio and under uvloop."""

import asyncio
import gc
import os
import ssl
import threading
import time
import weakref

import pytest
import uvloop
from certificates import Authority, server_context
from dns_server import DROP, Reply, a

import lbresolve
from lbresolve import aio


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    """Runs a coroutine in a loop of its own."""

    def run(coroutine):
        loop = uvloop.new_event_loop() if request.param == "uvloop" else asyncio.new_event_loop()
        try:
            return loop.run_until_complete(coroutine)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    return run


def test_resolve_connect_explain_and_probe(run, resolver, dns_server, listener):
    dns_server.answers[("www.test", "A")] = [a("127.0.0.11")]
    target = f"www.test:{listener.port}"

    async def main():
        found = await aio.resolve(target, resolver=resolver)
        assert [e.address for e in found.endpoints] == ["127.0.0.11"]
        made = await aio.connect(target, resolver=resolver)
        assert made.socket.gettimeout() == 0.0
        assert await asyncio.get_running_loop().sock_recv(made.socket, 100) == b"127.0.0.11\n"
        made.close()
        assert (await aio.explain(target, resolver=resolver)).candidates[0].state == "healthy"
        assert (await aio.probe(target, resolver=resolver)).addresses[0].outcome == "connected"
        reader, writer = await aio.open_connection("www.test", listener.port, resolver=resolver)
        assert await reader.readline() == b"127.0.0.11\n"
        writer.close()
        await writer.wait_closed()

    run(main())


def test_errors_are_those_of_the_calls_that_wait(run, resolver, closed_port):
    async def main():
        with pytest.raises(lbresolve.ResolveError):
            await aio.resolve("nosuch.test", resolver=resolver)
        with pytest.raises(ConnectionRefusedError):
            await aio.connect(("127.0.0.1", closed_port), resolver=resolver)
        with pytest.raises(ValueError):
            await aio.connect("no port", resolver=resolver)
        with pytest.raises(ValueError):
            await aio.open_connection("127.0.0.1", closed_port, server_hostname="x")

    run(main())


def test_a_hundred_at_once_take_no_thread_each(run, resolver, dns_server, listener):
    dns_server.answers[("www.test", "A")] = Reply([a("127.0.0.11"), a("127.0.0.12")], delay=0.1)
    before = threading.active_count(), len(os.listdir("/proc/self/task"))

    async def main():
        tasks = [asyncio.ensure_future(aio.connect(f"www.test:{listener.port}", resolver=resolver)) for _ in range(100)]
        await asyncio.sleep(0.05)
        # The scripted server makes a thread for a delayed reply; ours is one.
        assert len(os.listdir("/proc/self/task")) - before[1] <= 1 + threading.active_count() - before[0]
        for made in await asyncio.gather(*tasks):
            made.close()

    run(main())


def test_cancelling_the_task_cancels_the_connect(run, resolver, silent):
    def open_sockets():
        return sum(os.readlink(f"/proc/self/fd/{fd}").startswith("socket") for fd in os.listdir("/proc/self/fd")
                   if os.path.exists(f"/proc/self/fd/{fd}"))

    async def main():
        await aio.resolve("127.0.0.1", resolver=resolver)
        before = open_sockets()
        task = asyncio.ensure_future(aio.connect(silent, resolver=resolver))
        await asyncio.sleep(0.1)
        assert open_sockets() > before
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < 0.1
        for _ in range(100):
            if open_sockets() == before:
                break
            await asyncio.sleep(0.01)
        assert open_sockets() == before
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(aio.connect(silent, resolver=resolver), 0.1)

    run(main())


def test_a_timeout_is_a_TimeoutError(run, resolver, silent, dns_server):
    dns_server.answers[("slow.test", "*")] = DROP

    async def main():
        with pytest.raises(lbresolve.ConnectTimeout):
            await aio.connect(silent, timeout=0.2, resolver=resolver)
        with pytest.raises(lbresolve.ResolveTimeout):
            await aio.resolve("slow.test", timeout=0.2, resolver=resolver)

    run(main())


def test_tls_is_spoken_by_asyncio_for_the_host_of_the_target(run, resolver, dns_server, tmp_path):
    authority = Authority(tmp_path)
    serving = server_context(authority.issue("www.test"))
    trusting = ssl.create_default_context(cafile=authority.file)
    trusting.verify_flags &= ~ssl.VERIFY_X509_STRICT  # Python 3.13 asks for more than the tests' certificates have
    dns_server.answers[("www.test", "A")] = dns_server.answers[("other.test", "A")] = [a("127.0.0.11")]

    async def answer(reader, writer):
        writer.write(b"hello\n")
        writer.close()

    async def main():
        server = await asyncio.start_server(answer, "127.0.0.11", 0, ssl=serving)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await aio.open_connection("www.test", port, ssl=trusting, resolver=resolver)
        assert await reader.readline() == b"hello\n"
        assert writer.get_extra_info("ssl_object").server_hostname == "www.test"
        writer.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            await aio.open_connection(f"other.test:{port}", ssl=trusting, resolver=resolver)
        assert [h.state for h in resolver.health()] == ["suspect"]
        server.close()

    run(main())


def test_loops_come_and_go_without_leaving_a_descriptor(resolver):
    async def main():
        await aio.resolve("192.0.2.1", resolver=resolver)
        return weakref.ref(asyncio.get_running_loop())

    seen = [asyncio.run(main())]
    before = len(os.listdir("/proc/self/fd"))
    seen += [asyncio.run(main()) for _ in range(50)]
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before
    assert all(loop() is None for loop in seen)


def test_loops_of_several_threads_do_not_mix(resolver, dns_server, listener):
    dns_server.answers[("www.test", "A")] = [a("127.0.0.11")]
    done = []

    async def main():
        for _ in range(20):
            made = await aio.connect(f"www.test:{listener.port}", resolver=resolver)
            made.close()
        done.append(True)

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    assert len(done) == 4
