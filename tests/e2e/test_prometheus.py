"""The example that counts for Prometheus: docs/examples/prometheus.cpp."""

import os
import re
from pathlib import Path

import pytest
from backend import Backend
from dns_server import a
from network_lab import in_namespace

SERIES = re.compile(r'^([a-z_]+)(\{([a-z_]+="([^"\\\n]|\\.)*",?)*\})? (\d[\d.e+-]*)$')


def series_of(text):
    """Every line, by its name and labels: the text format of Prometheus."""
    found = {}
    for line in text.splitlines():
        if line.startswith("# "):
            continue
        match = SERIES.match(line)
        assert match, line
        labels = dict(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', line))
        found[(match[1], frozenset(labels.items()))] = float(match[5])
    return found


def total(series, name, **labels):
    return sum(value for (of, has), value in series.items() if of == name and labels.items() <= set(has))


@pytest.fixture
def prometheus(lab, lbresolve_bin):
    """A function that runs the example with these targets and gives its series."""
    build = Path(os.environ.get("LBRESOLVE_BUILD_DIR", Path(lbresolve_bin).parents[1]))
    program = build / "docs" / "examples" / "prometheus"

    def run(*targets):
        ran = lab.run("client", [str(program), "192.0.2.53", *targets])
        assert ran.returncode == 0, ran
        return series_of(ran.stdout)

    return run


def test_prometheus_gets_the_metrics_of_a_resolver(lab, scripted, prometheus):
    scripted({("www.example.test", "A"): a("203.0.113.1"), ("dead.example.test", "A"): a("203.0.113.2")},
             host="192.0.2.53")
    with in_namespace("server"):
        backend = Backend(443)
    try:
        series = prometheus("www.example.test:443", "www.example.test:443", "nothing.example.test:443",
                            "dead.example.test:80")
    finally:
        backend.close()
    asked = {"dns_question_type": "A", "lbresolve_source": "network", "network_transport": "udp"}
    assert total(series, "dns_lookup_duration_seconds_count", **asked, error_type="") == 2
    assert total(series, "dns_lookup_duration_seconds_count", error_type="nxdomain", dns_question_type="A") == 1
    assert total(series, "dns_lookup_duration_seconds_count", dns_question_type="A", lbresolve_source="cache") == 1
    assert total(series, "lbresolve_choices_total", network_peer_address="203.0.113.1", error_type="") == 2
    assert total(series, "lbresolve_choices_total", error_type="name_not_found") == 1
    assert total(series, "lbresolve_choices_total", error_type="connection_refused") == 1
    assert total(series, "lbresolve_attempt_duration_seconds_count", lbresolve_outcome="won") == 2
    assert total(series, "lbresolve_health_changes_total", lbresolve_change="suspect") == 1
    for (name, labels), value in series.items():
        if name.endswith("_count"):
            infinite = (name[:-len("count")] + "bucket", labels | {("le", "+Inf")})
            assert series[infinite] == value
