"""USE-07: NO_COLOR, not-a-TTY, narrow terminals."""

import pytest
from backends import GOOD, REFUSING, SILENT
from command import unpainted
from dns_server import DROP, a, cname, servfail

HEAVY, LIGHT = "\u2501", "\u2500"


@pytest.fixture
def stories(dns_server, backends):
    """What there is to show: a race with losers, a long name, a failure with a long explanation, silence."""
    long_name = ".".join(["a-rather-long-label-of-a-generated-name"] * 3) + ".test"
    dns_server.answers.update({
        ("www.test", "A"): [a(SILENT), a(REFUSING), a(GOOD)],
        (long_name, "CNAME"): cname("www.test"),
        ("broken.test", "*"): servfail(ede=[(22, "the authority of this zone has gone away " * 4)]),
        ("slow.test", "*"): DROP,
    })
    server, port = f"@{dns_server.address}", backends.port
    return [
        ["connect", f"www.test:{port}", "--policy", "in_order", "--attempt-delay", "50", server],
        ["connect", f"{long_name}:{port}", "--attempt-delay", "50", "--trace", server],
        ["connect", f"www.test:{port}", "--attempt-delay", "20", "--count", "12", server],
        ["connect", f"www.test:{port}", "--source", "::1", server],
        ["resolve", long_name, server],
        ["resolve", "broken.test", "--trace", server],
        ["resolve", "slow.test", "--trace", "--timeout", "200ms", server],
        ["resolve", "missing.test", "www.test", "--trace", server],
    ]


@pytest.mark.rule("USE-07")
@pytest.mark.parametrize("columns", [20, 40, 60, 80, 200])
@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_no_line_is_wider_than_the_terminal(lbresolve, stories, columns, locale):
    for arguments in stories:
        ran = lbresolve.run_tty(*arguments, columns=columns, LANG=locale)
        assert ran.out or ran.code != 0
        for line in unpainted(ran.out).splitlines():
            assert len(line) <= columns, arguments


@pytest.mark.rule("USE-07")
def test_bars_share_a_time_axis_and_need_sixty_columns(lbresolve, stories):
    wide = unpainted(lbresolve.run_tty(*stories[0], columns=100).out)
    assert HEAVY in wide and LIGHT in wide and wide.splitlines()[0].strip().startswith("0")
    assert " ms" in wide.splitlines()[0]
    bars = {line.split()[0]: line for line in wide.splitlines() if HEAVY in line}
    winner = next(line for line in bars.values() if line.endswith("won"))
    first = next(iter(bars.values()))
    assert first.index(HEAVY) <= winner.index(HEAVY), "later attempts stand further right"
    narrow = lbresolve.run_tty(*stories[0], columns=59).out
    assert HEAVY not in narrow and LIGHT not in narrow and "won" in narrow


@pytest.mark.rule("USE-07")
@pytest.mark.parametrize("locale", [{"LANG": "C"}, {"LANG": None}, {"LC_ALL": "POSIX"}])
def test_bars_are_ascii_where_the_locale_is_not_utf8(lbresolve, stories, locale):
    ran = lbresolve.run_tty(*stories[0], columns=100, **locale)
    assert ran.raw.isascii()
    assert "==" in ran.out


@pytest.mark.rule("USE-07")
def test_columns_overrides_the_size_of_the_terminal(lbresolve, stories):
    wide = unpainted(lbresolve.run_tty(*stories[0], columns=80, COLUMNS="150").out)
    assert max(map(len, wide.splitlines())) > 100
    narrow = unpainted(lbresolve.run_tty(*stories[0], columns=80, COLUMNS="40").out)
    assert max(map(len, narrow.splitlines())) <= 40
    for nonsense in ("", "0", "-3", "wide", "99999999999999999999"):
        text = unpainted(lbresolve.run_tty(*stories[0], columns=80, COLUMNS=nonsense).out)
        assert 60 < max(map(len, text.splitlines())) <= 80


@pytest.mark.rule("USE-07")
@pytest.mark.parametrize("index", range(8))
def test_into_a_pipe_there_are_no_colours_and_no_bars(lbresolve, stories, index):
    ran = lbresolve.run(*stories[index])
    assert "\x1b" not in ran.out and HEAVY not in ran.out and LIGHT not in ran.out and "==" not in ran.out
    assert "\x1b" not in ran.err


@pytest.mark.rule("USE-07")
def test_colours_on_a_terminal_unless_told_otherwise(lbresolve, stories):
    def colours(*more, tty=True, **environment):
        run = lbresolve.run_tty if tty else lbresolve.run
        return "\x1b[" in run(*stories[0], *more, **environment).out

    assert colours()
    assert not colours(NO_COLOR="1")
    assert colours(NO_COLOR=""), "no-color.org: only a value that is not empty counts"
    assert not colours(TERM="dumb")
    assert not colours("--color", "never")
    assert colours("--color", "always", NO_COLOR="1"), "a flag is more than the environment"
    assert colours("--color", "always", tty=False)


@pytest.mark.rule("USE-07")
def test_the_plain_table_says_who_when_how_long_and_why(lbresolve, stories, backends):
    ran = lbresolve.run(*stories[0])
    assert ran.lines[0].split() == ["START", "ms", "TOOK", "ms", "WHAT", "OUTCOME"]
    rows = {line.split()[2]: line for line in ran.lines[1:-1]}
    assert rows[f"{GOOD}:{backends.port}"].endswith("won")
    # The first one waited until another one won; the one in the middle may not have been needed.
    if f"{REFUSING}:{backends.port}" in rows:
        assert rows[f"{REFUSING}:{backends.port}"].endswith("refused")
    if f"{SILENT}:{backends.port}" in rows:
        assert "no answer after" in rows[f"{SILENT}:{backends.port}"]
    assert ran.lines[-1].startswith(f"connected to {GOOD}:{backends.port} in ")


@pytest.mark.rule("USE-07")
def test_skipped_attempts_say_why(lbresolve, stories):
    ran = lbresolve.run_tty(*stories[3], columns=120)
    assert ran.code != 0
    assert "skipped: " in ran.out and HEAVY not in ran.out
