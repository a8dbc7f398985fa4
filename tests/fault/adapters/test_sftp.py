"""SFTP through its failures: wrong keys of user and host, a server that is killed, a worker that is killed."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from sendit.adapters.sftp.settings import SftpFolder, parse
from sendit.adapters.sftp.store import SftpStore
from sendit.errors import Misconfigured, SenditError, ServiceDown, ServiceRefused
from tests.support.processes import killed_after
from tests.support.site import Site
from tests.support.sshd import ONE_WORKER, QUICK, Sshd

pytestmark = ONE_WORKER
NAME = "Collection/IRB1/Entity/p/p_20100209_s.tar.gz"
LARGE = random.Random(6).randbytes(8_000_001)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    return path


def files(place: SftpFolder) -> list[str]:
    return sorted(str(path.relative_to(place.folder)) for path in Path(place.folder).rglob("*") if path.is_file())


def test_an_archive_and_nothing_else_is_there(sftp_folder: SftpFolder, sftp_store: SftpStore, large: Path) -> None:
    stored = sftp_store.put(NAME, large, {"part": "1"})
    assert stored.uri == f"sftp://127.0.0.1{sftp_folder.folder}/{NAME}"
    assert files(sftp_folder) == [NAME]
    path = Path(sftp_folder.folder, NAME)
    assert path.read_bytes() == LARGE and path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        ({"key_file": "stranger"}, "CredentialsRefused"),
        ({"known_hosts": "other_hosts"}, "HostKeyRefused"),
        ({"known_hosts": "no_hosts"}, "HostKeyRefused"),
    ],
)
def test_wrong_keys_are_told(sshd: Sshd, sftp_folder: SftpFolder, large: Path, harm: dict[str, str], code: str) -> None:
    wrong = replace(sftp_folder, **{name: sshd.folder / value for name, value in harm.items()})
    with pytest.raises(ServiceRefused, match=code) as caught:
        SftpStore(wrong, QUICK).put(NAME, large, {})
    assert sftp_folder.folder not in str(caught.value)
    assert files(sftp_folder) == []


def test_a_folder_that_is_not_there_is_told(sftp_folder: SftpFolder, large: Path) -> None:
    away = SftpStore(replace(sftp_folder, folder=f"{sftp_folder.folder}/nothing"), QUICK)
    for ask in (away.ensure_usable, partial(away.put, NAME, large, {})):
        with pytest.raises(ServiceRefused, match="AccessDenied"):
            ask()
    SftpStore(sftp_folder, QUICK).ensure_usable()


def test_known_hosts_that_cannot_be_read_are_a_wrong_setting(sftp_folder: SftpFolder, large: Path) -> None:
    with pytest.raises(Misconfigured, match="BadSetting"):
        SftpStore(replace(sftp_folder, known_hosts=Path("/nowhere")), QUICK).put(NAME, large, {})


def test_a_server_that_was_away_is_spoken_to_again(large: Path) -> None:
    server = Sshd()
    server.start()
    try:
        store = SftpStore(server.place(), QUICK)
        store.put("Collection/1", large, {})
        server.end_all()
        with pytest.raises(ServiceDown, match="StoreDown"):
            store.put("Collection/2", large, {})
        server.start()
        assert store.put("Collection/2", large, {}).size_bytes == len(LARGE)
    finally:
        server.remove()


def test_a_worker_that_is_killed_leaves_no_archive_in_part(
    sftp_folder: SftpFolder, sftp_store: SftpStore, large: Path
) -> None:
    killed = 0
    for number in range(5):
        name = f"Collection/killed/{number}.tar.gz"
        killed += killed_after(0.1 * number, partial(SftpStore(sftp_folder, QUICK).put, name, large, {}))
        path = Path(sftp_folder.folder, name)
        assert not path.exists() or path.read_bytes() == LARGE
        assert sftp_store.put(name, large, {}).size_bytes == len(LARGE)
        assert path.read_bytes() == LARGE
    assert killed


def test_parts_that_were_left_are_removed_after_a_day(
    sftp_folder: SftpFolder, sftp_store: SftpStore, large: Path
) -> None:
    folder = Path(sftp_folder.folder, "Collection")
    folder.mkdir()
    for name, age in ((".a.00.part", 2 * 86_400), (".a.01.part", 60), (".b.00.part", 2 * 86_400)):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (1_700_000_000 - age,) * 2)
    sftp_store.put("Collection/a", large, {})
    assert files(sftp_folder) == ["Collection/.a.01.part", "Collection/.b.00.part", "Collection/a"]


def test_a_study_is_delivered_to_it(site: Site, sshd: Sshd, sftp_folder: SftpFolder) -> None:
    keys = f"key_file={sftp_folder.key_file}&known_hosts={sftp_folder.known_hosts}"
    site.set(STORE=f"sftp://{sftp_folder.user}@127.0.0.1:{sshd.port}{sftp_folder.folder}?{keys}")
    site.study(1, images=2)
    site.process()
    (batch,) = site.deliver()
    assert batch.state == "DONE", batch.errors
    ((uri,),) = site.projects.default.warehouse.query("SELECT storage_uri FROM dicom").rows
    assert Path(str(uri).removeprefix("sftp://127.0.0.1")).is_file()


@pytest.mark.parametrize(
    "url",
    [
        "sftp://", "sftp://host/data", "sftp://u@host/data", "sftp://u:secret@host/data?key_file=/k",
        "sftp://u@host/data?key_file=", "sftp://u@host/data/../x?key_file=/k", "sftp://u@host/?key_file=/k",
        "sftp://u@host:99999/data?key_file=/k", "sftp://u@host/data?key_file=/k&keyfile=/k", "s3://bkt",
    ],
)  # fmt: skip
def test_a_url_that_makes_no_sense_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(Misconfigured, match="BadSetting") as caught:
        parse(url, "SENDIT_STORE")
    assert "SENDIT_STORE" in str(caught.value) and "secret" not in str(caught.value)


def test_a_url_says_where() -> None:
    found = parse("sftp://se%40ndit@host:2222/data/irb?password_file=/p&known_hosts=/h", "X")
    assert (found.user, found.host, found.port, found.folder) == ("se@ndit", "host", 2222, "/data/irb")
    assert (found.password_file, found.known_hosts, found.key_file) == (Path("/p"), Path("/h"), None)
    with pytest.raises(SenditError):
        SftpStore(replace(found, known_hosts=Path("/nowhere")), QUICK).ensure_usable()
