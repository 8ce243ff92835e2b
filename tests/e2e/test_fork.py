"""USE-06: fork(), then connect, in the child: encrypted upstreams, whose sessions the child must leave alone."""

import pytest
from certificates import server_context
from dns_server import a

SERVER = "dns.example.test"


@pytest.fixture(scope="session")
def fork_names(build_program):
    return build_program("fork_names")


@pytest.mark.rule("USE-06")
def test_a_child_leaves_the_tls_session_of_its_parent_alone(lab, dot, authority, fork_names):
    context = server_context(authority.issue(SERVER, "192.0.2.60"), ["dot"])
    server = dot({("*", "A"): a("203.0.113.1")}, context=context)
    ran = lab.run("client", [str(fork_names), f"tls://192.0.2.60#{SERVER}", str(authority.file), "one.example.test",
                             "two.example.test", "three.example.test"])
    assert ran.stdout == "ok\n", ran
    assert [q.name for q in server.queries] == ["one.example.test", "two.example.test", "three.example.test"]
    assert server.handshakes == 2   # the parent's, and the child's own
