"""The completions of bash, zsh and fish, run by these shells: they know what `lbresolve --help` knows, and no more."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "cli" / "completions"
sys.path.insert(0, str(FOLDER))

import generate  # noqa: E402

BASH = """
compopt() {{ :; }}   # works inside a real completion only
source {file}
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_lbresolve lbresolve "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""

# zsh completes inside its line editor only: here its helpers are replaced by ones that print what they are told.
ZSH = """
_arguments() {{ print -rl -- "$@"; state=first; return 1 }}
_describe() {{ print -rl -- "${{(P@)2}}" }}
_hosts() {{ }}
words=({words}); CURRENT=${{#words}}
source {file}
"""


def run(shell, script, tmp_path):
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell}")
    command = {"bash": ["bash", "--norc", "-c"], "zsh": ["zsh", "-f", "-c"], "fish": ["fish", "--no-config", "-c"]}[shell]
    done = subprocess.run([*command, script], capture_output=True, text=True, timeout=30,
                          env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def offered(shell, words, tmp_path):
    """What the shell offers for the last one of the words."""
    if shell == "bash":
        script = BASH.format(file=FOLDER / "lbresolve.bash", words=" ".join(f"'{w}'" for w in words))
        return set(run(shell, script, tmp_path)) - {""}
    if shell == "fish":
        lines = run(shell, f"source {FOLDER / 'lbresolve.fish'}; complete -C '{' '.join(words)}'", tmp_path)
        return {line.split("\t")[0] for line in lines}
    lines = run(shell, ZSH.format(file=FOLDER / "_lbresolve", words=" ".join(f"'{w}'" for w in words)), tmp_path)
    if words[-1].startswith("-"):
        return {m[1] for line in lines if (m := re.match(r"\*?(-[\w-]+)=?\[", line))}
    return {line.split(":")[0] for line in lines if re.match(r"[a-z]+:[^:]", line)}


@pytest.fixture
def told(lbresolve):
    """The commands and the options of --help."""
    text = lbresolve.run("--help").out
    commands = set(re.findall(r"^  lbresolve \[?([a-z]+)\]? ", text.partition("\nExamples:")[0], re.M))
    options = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text))
    options |= {o for line in re.findall(r"^  (-\w.*)", text, re.M) for o in re.findall(r"(?<![\w-])-\w\b", line)}
    return commands, options


SHELLS = pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])


@SHELLS
def test_the_commands_are_those_of_the_help(told, shell, tmp_path):
    assert offered(shell, ["lbresolve", ""], tmp_path) == told[0]


@SHELLS
def test_the_options_are_those_of_the_help(told, shell, tmp_path):
    commands, options = told
    found = {c: offered(shell, ["lbresolve", c, "-"], tmp_path) for c in commands}
    assert set().union(*found.values()) == options
    assert offered(shell, ["lbresolve", "-"], tmp_path) == found["resolve"]


def test_what_is_not_offered_for_a_command_is_refused_there(lbresolve, told, tmp_path):
    commands, options = told
    values = {flag: ["1"] if value else [] for flags, _, value, _ in generate.OPTIONS for flag in flags}
    for command in sorted(commands):
        for option in sorted(options - offered("bash", ["lbresolve", command, "-"], tmp_path)):
            target = [] if command == "health" else ["192.0.2.1:443"]
            ran = lbresolve.run(command, option, *values[option], *target)
            assert ran.code == 2 and option in ran.err, (command, option, ran)


@pytest.mark.parametrize("option", ["--policy", "--mode", "--choice", "--format", "--color"])
def test_the_values_are_those_that_the_command_names(lbresolve, option, tmp_path):
    named = re.search(r" is not ([^;]*)", lbresolve.run(option, "nonsense", "a.test").err)[1]
    words = set(re.findall(r"[a-z_]+", named)) - {"or"}
    assert offered("bash", ["lbresolve", option, ""], tmp_path) == words
    assert offered("bash", ["lbresolve", option, "=", ""], tmp_path) == words
    assert offered("fish", ["lbresolve", option, ""], tmp_path) == words
    specs = (FOLDER / "_lbresolve").read_text()
    assert set(re.search(rf"{option}=\[[^]]*\]:[^:]*:\((.*)\)'", specs)[1].split()) == words


def test_files_and_interfaces_are_completed(tmp_path):
    (tmp_path / "authorities.pem").write_text("")
    start = f"{tmp_path}/auth"
    assert offered("bash", ["lbresolve", "--ca-file", start], tmp_path) == {f"{tmp_path}/authorities.pem"}
    assert "lo" in offered("bash", ["lbresolve", "connect", "--interface", "l"], tmp_path)


def test_the_files_are_what_the_generator_writes(tmp_path):
    generate.main(tmp_path)
    for name in generate.FILES:
        assert (tmp_path / name).read_text() == (FOLDER / name).read_text(), "run cli/completions/generate.py"
