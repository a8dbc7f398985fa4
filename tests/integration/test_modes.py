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
from sendit.pipeline import checks
from tests.support.shell import run
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


def test_check_warns_of_folders_that_everybody_may_look_into(site: Site) -> None:
    site.var.chmod(0o750)
    assert [one.id for one in checks.open_folders()] == []
    site.var.chmod(0o755)
    site.settings.outbox_folder.mkdir(mode=0o701)
    said = [one.msg for one in checks.open_folders()]
    assert said == [
        "Everybody on this host may read or change VAR.",
        "Everybody on this host may read or change VAR/outbox.",
    ]


@pytest.mark.parametrize(("umask", "modes"), [(0, ("0o640", "0o750")), (0o077, ("0o600", "0o700"))])
def test_what_deid_writes_is_by_the_umask_and_never_everybodys(
    site: Site, tmp_path: Path, umask: int, modes: tuple[str, str]
) -> None:
    os.umask(umask)
    out = tmp_path / "made" / "out"
    site.study(images=1)
    (folder,) = site.data.iterdir()
    assert run("deid", str(folder), str(out)).code == 0
    (written,) = out.rglob("*.dcm")
    assert (mode_of(written), mode_of(out)) == modes
    assert mode_of(written.parent) == mode_of(out.parent) == modes[1]
