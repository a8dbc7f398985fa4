"""`sendit completion`: bash itself completes by the script; what is not there is not offered."""

from __future__ import annotations

import subprocess

import pytest

from sendit.__main__ import NOT_OFFERED, _no_such
from tests.support.shell import run


def completed(words: str) -> set[str]:
    """What bash offers for the last word of a command line."""
    script = run("completion", "bash").out
    ask = f"COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _sendit; echo ${{COMPREPLY[@]}}"
    ran = subprocess.run(["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=True, timeout=60)
    return set(ran.stdout.split())


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("sendit start_", {"start_queue", "start_watcher", "start_listener"}),
        ("sendit withdraw --r", {"--reason"}),
        ("sendit preview --c", {"--changed"}),
        ("sendit runs", set()),
        ("sendit wor", set()),
    ],
)
def test_bash_completes_commands_and_options(words: str, offered: set[str]) -> None:
    assert completed(words) == offered


@pytest.mark.parametrize("shell", ["fish", "zsh"])
def test_the_other_shells_know_every_command(shell: str) -> None:
    script = run("completion", shell).out
    assert all(name in script for name in ("start_queue", "withdraw", "reason"))
    assert "runserver" not in script


def test_a_command_that_is_misspelt_is_answered_with_the_one_that_it_resembles() -> None:
    assert "Did you mean `sendit status`?" in _no_such("statsu", ["status", "work", "runserver"])
    assert "Did you mean" not in _no_such("wrok", ["status", "work"])
    assert "sendit web" in NOT_OFFERED["runserver"] == _no_such("runserver", ["runserver"])
