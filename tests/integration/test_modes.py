"""What sendit keeps for itself is its owner's alone, whatever the umask."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendit.ground import database
from sendit.ground.daemon import LogFile
from tests.support.site import Site, use_database


@pytest.fixture(autouse=True)
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode_of(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


def test_a_new_database_is_its_owners(site: Site) -> None:
    path = site.var / "new.sqlite3"
    with use_database(f"sqlite:///{path}"):
        database.make_ready()
        assert {mode_of(file) for file in site.var.glob("new.sqlite3*")} == {"0o600"}


def test_a_log_and_its_rotated_files_are_their_owners(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "logs" / "watcher.log", max_bytes=20)
    for _ in range(3):
        log.emit(logging.LogRecord("sendit", logging.INFO, "", 0, "a line of the log", (), None))
    log.reopen()
    log.emit(logging.LogRecord("sendit", logging.INFO, "", 0, "a line of the log", (), None))
    log.close()
    files = list((tmp_path / "logs").iterdir())
    assert len(files) > 2 and {mode_of(file) for file in files} == {"0o600"}
    assert mode_of(tmp_path / "logs") == "0o700"


def test_the_outbox_is_its_owners(site: Site) -> None:
    site.study(images=1)
    (batch,) = site.process()
    outbox = site.settings.outbox_folder
    assert (mode_of(outbox), mode_of(outbox / str(batch.pk))) == ("0o700", "0o700")
