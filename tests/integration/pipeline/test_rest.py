"""A folder that is still being written is not taken, however it is written."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from sendit.pipeline.intake import contenders as intake
from sendit.pipeline.intake.contenders import Added
from sendit.pipeline.intake.rest import Unrest
from sendit.projects.project import DEFAULT
from tests.support.phantoms import accession_number
from tests.support.shell import run
from tests.support.site import Site

QUIET = 0.2


def add(site: Site) -> Added:
    return intake.add_up_to(None, [str(site.data)], DEFAULT, QUIET)


def test_start_queue_waits_once_for_a_folder_that_was_just_written_to(site: Site) -> None:
    site.study(images=1)
    assert add(site) == Added(1, ())
    assert add(site) == Added(0, ())


@pytest.mark.parametrize("preserves", [False, True])
def test_a_folder_that_is_written_to_again_and_again_is_left(
    site: Site, monkeypatch: pytest.MonkeyPatch, preserves: bool
) -> None:
    """Also where the copy preserves the times of the files."""
    deep = site.study(1, images=1) / "a" / "b"
    deep.mkdir(parents=True)
    site.study(2, images=1)

    def copy_meanwhile(seconds: float) -> None:
        time.sleep(2 * seconds)
        (deep / "late").write_text("x")
        for path in (deep / "late", deep, deep.parent) if preserves else ():
            os.utime(path, (1e9, 1e9))

    monkeypatch.setattr(intake, "time", SimpleNamespace(sleep=copy_meanwhile))
    (left,) = add(site).left
    assert (left.path.reveal(), left.why) == (str(site.data / accession_number(1)), Unrest.LATELY)
    assert "1 folder was left" not in str(left)


@pytest.mark.parametrize(("mode", "is_left"), [("ab", True), ("r+b", True), ("rb", False)])
def test_a_file_that_a_process_holds_open_for_writing_counts_as_being_written(
    site: Site, mode: str, is_left: bool
) -> None:
    path = next(site.study(images=1).iterdir())
    time.sleep(QUIET)
    with path.open(mode):
        added = add(site)
    assert [left.why for left in added.left] == ([Unrest.OPEN] if is_left else [])
    assert add(site) == Added(int(is_left), ())


def test_a_file_that_another_process_holds_open_is_known_by_any_of_its_names(site: Site, tmp_path: Path) -> None:
    path = next(site.study(images=1).iterdir())
    os.link(path, tmp_path / "other name")
    program = "import sys; file = open(sys.argv[1], 'ab'); print('open', flush=True); input()"
    command = [sys.executable, "-c", program, str(tmp_path / "other name")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout and writer.stdout.readline()
        assert [left.why for left in add(site).left] == [Unrest.OPEN]
        writer.communicate(b"\n")
    assert add(site).number == 1


def test_start_queue_says_how_many_it_left_and_which_only_when_asked(site: Site) -> None:
    path = next(site.study(images=1).iterdir())
    site.set(QUEUE_SETTLE_SECONDS=QUIET)
    with path.open("ab"):
        ran = run("start_queue", "--number", "all")
        assert "0 new folders queued.\n1 folder was left: a file in it is open for writing.\n" in ran.out
        assert str(path.parent) in run("start_queue", "--reveal", reveals=True).out
    assert "1 new folder queued." in run("start_queue").out
