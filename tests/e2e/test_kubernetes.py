"""The habits of a Kubernetes cluster, on a real unbound that serves the cluster's zone: short names through a search
list with ndots:5, headless services whose pods come and go, and addresses that another pod has soon after.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

import pytest
from backend import PORT
from network_lab import wait_until
from places import UNBOUND, v4
from unbound_server import UnboundServer

SEARCH = ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local"]   # of a pod in the namespace shop
EXTERNAL = "external.example.test"
WEB = "web.shop.svc.cluster.local"
TTL = 2     # CoreDNS has 5 for headless services: the same, sooner
ON_AND_ON = ("--count", "100000", "--interval", "20ms")


def pods(*numbers):
    return [v4(1, first=n)[0] for n in numbers]


@dataclass
class Cluster:
    """The cluster's DNS, and what the kubelet writes into a pod's resolv.conf."""

    dns: UnboundServer
    resolv_conf: str
    client: object

    def ask(self, name: str, *arguments: str):
        return self.client.resolve(name, "-4", "--resolv-conf", self.resolv_conf, *arguments)

    def connect_on(self, target: str, *arguments: str):
        return self.client.connect_on(target, "--resolv-conf", self.resolv_conf, *ON_AND_ON, *arguments)

    def serve(self, hosts) -> None:
        """Changes the zone and waits until the first name, which must be one with addresses, has those."""
        self.dns.serve(hosts)
        name, addresses = next(iter(hosts.items()))
        wait_until(lambda: (run := self.ask(f"{name}.", UNBOUND, "--timeout", "1s")).exit_code == 0
                   and sorted(run.addresses) == sorted(addresses), 10, f"{addresses} for {name}")


@pytest.fixture
def cluster(unbound, client, tmp_path):
    def start(hosts, ttl=TTL):
        config = tmp_path / "resolv.conf"
        config.write_text(f"search {' '.join(SEARCH)}\nnameserver 192.0.2.53\noptions ndots:5\n")
        dns = unbound({EXTERNAL: pods(9), **hosts}, zone="cluster.local", more_zones=["example.test"], ttl=ttl)
        return Cluster(dns, str(config), client)

    return start


def asked(run):
    """The questions that went out, as names."""
    return [q.name.rstrip(".") for story in run.stories for q in story.queries if q.source == "network"]


@pytest.mark.rule("DNS-12")
@pytest.mark.parametrize("name, questions, found", [
    ("web", [WEB], WEB),
    ("api.pay", ["api.pay.shop.svc.cluster.local", "api.pay.svc.cluster.local"], "api.pay.svc.cluster.local"),
    (f"{WEB}.", [WEB], WEB),
    (EXTERNAL, [*(f"{EXTERNAL}.{domain}" for domain in SEARCH), EXTERNAL], EXTERNAL),
    (f"{EXTERNAL}.", [EXTERNAL], EXTERNAL)])
def test_short_names_go_through_the_search_list_and_a_dot_at_the_end_goes_past_it(cluster, name, questions, found):
    inside = cluster({WEB: pods(1, 2, 3), "api.pay.svc.cluster.local": pods(4)})
    run = inside.ask(name)
    assert run.exit_code == 0, run
    assert asked(run) == questions
    assert run.story.document["result"]["name"].rstrip(".") == found


@pytest.mark.rule("DNS-12", "TTL-04")
def test_what_the_search_list_did_not_find_is_not_asked_for_again_with_every_use_of_the_name(cluster):
    inside = cluster({WEB: pods(1)}, ttl=60)
    run = inside.client.run("resolve", EXTERNAL, "-4", "--resolv-conf", inside.resolv_conf, "--count", "50", "--format",
                            "json")
    assert run.exit_code == 0, run
    assert Counter(asked(run)) == Counter([*(f"{EXTERNAL}.{domain}" for domain in SEARCH), EXTERNAL])
    assert all(story.addresses == pods(9) for story in run.stories)


@pytest.mark.rule("SEL-03", "MEM-04")
def test_pods_of_a_headless_service_are_replaced_and_no_connect_fails(lab, backend, cluster):
    """One pod dies at once, another is drained: it would still take connections, but DNS has it no longer."""
    inside = cluster({WEB: pods(1, 2, 3)})
    running = inside.connect_on(f"web:{PORT}", "--policy", "round_robin")
    running.wait_until(lambda: set(backend.accepted) == set(pods(1, 2, 3)), what="connections to all three")
    lab.refuse(*pods(1))
    running.wait_for(20)
    inside.serve({WEB: pods(2, 4, 5)})
    time.sleep(TTL + 0.5)   # the last answer that had the old ones is over
    backend.accepted.clear()
    running.wait_for(100)
    assert set(backend.accepted) == set(pods(2, 4, 5)), "the new ones, and none that was withdrawn"
    assert all(story.succeeded for story in running.stop())


@pytest.mark.rule("SEL-03", "SEL-06")
def test_the_srv_records_of_a_headless_service_lead_to_its_pods_and_follow_them(lab, backend, cluster):
    def service(**numbers):
        named = {f"{pod}.{WEB}": pods(number) for pod, number in numbers.items()}
        return {**named, f"_http._tcp.{WEB}": [f"SRV 0 33 {PORT} {host}." for host in named]}

    inside = cluster(service(web0=1, web1=2, web2=3))
    running = inside.connect_on("_http._tcp.web")
    running.wait_until(lambda: set(backend.accepted) == set(pods(1, 2, 3)), what="connections to all three")
    inside.serve(service(web0=4, web1=2, web3=5))   # one has another address, one is gone, one is new
    time.sleep(TTL + 0.5)
    backend.accepted.clear()
    running.wait_for(100)
    assert set(backend.accepted) == set(pods(4, 2, 5))
    assert all(story.succeeded for story in running.stop())


@pytest.mark.rule("MEM-03", "MEM-04")
def test_the_address_of_a_dead_pod_is_used_again_as_soon_as_another_pod_has_it(lab, backend, cluster):
    """Dead for so long that its ejection might last for half a minute more."""
    lab.link.set(*pods(1, 2, 3), rtt_ms=10)
    inside = cluster({WEB: pods(1, 2, 3)})
    running = inside.connect_on(f"web:{PORT}")
    running.wait_until(lambda: set(backend.accepted) == set(pods(1, 2, 3)), what="connections to all three")
    lab.refuse(*pods(1))
    time.sleep(25)
    inside.serve({WEB: pods(2, 3)})
    time.sleep(TTL + 0.5)
    lab.accept_again()
    backend.accepted.clear()
    running.wait_for(50)
    assert not backend.accepted[pods(1)[0]], "withdrawn, though there is somebody again"
    inside.serve({WEB: pods(1, 2, 3)})
    named = time.monotonic()
    running.wait_until(lambda: backend.accepted[pods(1)[0]] > 3, what="connections to the pod that has the address now")
    assert time.monotonic() - named < TTL + 4
    assert all(story.succeeded for story in running.stop())
