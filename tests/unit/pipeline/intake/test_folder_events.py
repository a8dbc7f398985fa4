"""The watcher is woken by what happens in a data folder, whatever becomes of the folder itself."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import watchfiles

from sendit.pipeline.intake import folder_events
from sendit.pipeline.intake.folder_events import FolderEvents

SECONDS = 10


class Listener:
    """A watched folder, and whether anything was heard of it."""

    def __init__(self, folder: Path) -> None:
        self.woken, self.told = threading.Event(), []
        self.thread = FolderEvents(lambda: [str(folder)], self.woken.set, self.told.append)
        self.thread.start()

    def heard_of(self, deed: Callable[[], object]) -> bool:
        """Whether what is done now is heard of."""
        self.woken.clear()
        deed()
        return self.woken.wait(SECONDS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def listener(folder: Path) -> Iterator[Listener]:
    listener = Listener(folder)
    assert listener.woken.wait(SECONDS), "the beginning of the watch is told, for what came before it was not"
    yield listener
    listener.thread.stop()
    listener.thread.join(SECONDS)
    assert not listener.thread.is_alive()


def test_a_new_folder_and_its_renaming_are_heard(folder: Path, listener: Listener) -> None:
    assert listener.heard_of((folder / "a.tmp1").mkdir)
    assert listener.heard_of(lambda: (folder / "a.tmp1").rename(folder / "a"))


def test_what_happens_inside_study_folders_is_not_watched(folder: Path, listener: Listener) -> None:
    listener.heard_of((folder / "a").mkdir)
    time.sleep(0.5)
    listener.woken.clear()
    (folder / "a" / "image").write_text("x")
    assert not listener.woken.wait(1)


def test_a_name_that_is_not_utf8_is_heard_and_deafens_nobody(folder: Path, listener: Listener) -> None:
    for name in (b"/\xff1", b"/\xff2", b"/\xff3", b"/\xff4"):
        assert listener.heard_of(lambda name=name: os.mkdir(os.fsencode(folder) + name))
        time.sleep(0.3)
    assert listener.heard_of((folder / "a").mkdir)


def test_a_folder_that_was_removed_and_made_again_is_watched_again(folder: Path, listener: Listener) -> None:
    shutil.rmtree(folder)
    assert listener.heard_of(folder.mkdir)
    time.sleep(1)
    assert listener.heard_of((folder / "a").mkdir)


def test_a_folder_that_is_missing_at_the_beginning_is_found(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "later")
    assert listener.heard_of((tmp_path / "later").mkdir)
    listener.thread.stop()


def test_a_folder_in_whose_place_another_is_put_is_watched(folder: Path, listener: Listener) -> None:
    folder.rename(folder.with_name("old"))
    assert listener.heard_of(folder.mkdir)
    time.sleep(1)
    assert listener.heard_of((folder / "a").mkdir)


def test_a_system_that_tells_nothing_is_told_of_and_asked_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = watchfiles.watch, []

    def limited(*folders: str, **options: object) -> object:
        asked.append(folders)
        if len(asked) < 5:
            raise OSError(28, "inotify watch limit reached")
        return real(*folders, **options)

    monkeypatch.setattr(watchfiles, "watch", limited)
    monkeypatch.setattr(folder_events, "PAUSE_SECONDS", 0.05)
    listener = Listener(folder)
    ends_at = time.monotonic() + SECONDS
    while len(listener.told) < 2 and time.monotonic() < ends_at:
        time.sleep(0.05)
    assert listener.told == [False, True]
    assert listener.heard_of((folder / "a").mkdir)
    listener.thread.stop()
