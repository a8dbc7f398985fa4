"""`download`: images out of archives."""

from __future__ import annotations

import hashlib
import io
import shutil
import sys
from pathlib import Path

import pydicom
import pytest

from sendit.errors import ServiceDown
from sendit.pipeline.files.download import chosen_by, download
from sendit.projects.composition import Projects
from tests.support.shell import run
from tests.support.site import Site

ALL = "SELECT SeriesInstanceUID FROM series"


@pytest.fixture
def delivered(site: Site) -> Site:
    site.study(1, images=4)
    site.study(2, images=3)
    site.process()
    site.deliver()
    return site


def expected(site: Site, condition: str = "true") -> dict[str, str]:
    """What the warehouse says should be there: paths and SHA-256."""
    columns = "CodedPatientID, CodedAccessionNumberID, SeriesInstanceUID, member, sha256"
    sql = f"SELECT {columns} FROM instance WHERE {condition}"
    rows = Projects(site.settings).default.warehouse.query(sql).rows
    return {"/".join(map(str, path)): str(sha256) for *path, sha256 in rows}


def found(out: Path) -> dict[str, str]:
    files = (path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_series_is_fetched_image_by_image(delivered: Site, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    ran = run("download", ALL, str(out))
    assert ran.code == 0 and ran.lines[-1].startswith("7 images, ") and ran.lines[-1].endswith(": 7 new.")
    assert len(found(out)) == 7 and found(out) == expected(delivered)
    assert all(pydicom.dcmread(out / path).PatientID in path for path in found(out))


@pytest.mark.parametrize("column", ["SOPInstanceUID", "StudyInstanceUID", "CodedAccessionNumberID", "CodedPatientID"])
def test_any_key_chooses(delivered: Site, tmp_path: Path, column: str) -> None:
    condition = "InstanceNumber = 3"
    sql = f"SELECT 1 AS other, {column} FROM instance WHERE {condition} ORDER BY 2 -- a remark"
    assert run("download", sql, str(tmp_path / "out")).code == 0
    assert found(tmp_path / "out") == expected(delivered, condition if column == "SOPInstanceUID" else "true")


def test_the_statement_may_come_on_standard_input(
    delivered: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{ALL};\n"))
    assert run("download", "-", str(tmp_path / "out")).code == 0
    assert len(found(tmp_path / "out")) == 7


def test_a_manifest_chooses(delivered: Site, tmp_path: Path) -> None:
    csv = run("query", "--format", "csv", "SELECT SOPInstanceUID, Modality FROM instance WHERE InstanceNumber < 3").out
    (tmp_path / "m.csv").write_text("\ufeff" + csv)
    assert run("download", str(tmp_path / "out"), "--manifest", str(tmp_path / "m.csv")).code == 0
    assert found(tmp_path / "out") == expected(delivered, "InstanceNumber < 3")


def test_what_is_there_stays_and_what_is_harmed_is_fetched_again(delivered: Site, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("download", ALL, str(out))
    first, second, third, *_ = sorted(path for path in out.rglob("*.dcm"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1] + b"x")
    third.write_bytes(third.read_bytes()[:100])
    ran = run("download", ALL, str(out))
    assert ran.code == 0 and "3 new, 4 there already" in ran.lines[-1]
    assert found(out) == expected(delivered)


def test_a_download_that_was_stopped_goes_on(delivered: Site, tmp_path: Path) -> None:
    ports, out = Projects(delivered.settings).default, tmp_path / "out"
    images = chosen_by(ports.warehouse, ALL)
    first = download(ports.object_store, images, out)
    assert next(first).is_new and next(first).is_new
    first.close()
    (draft := next(out.rglob("*.dcm")).with_name(".left.dcm.0123.tmp")).write_bytes(b"half")
    again = list(download(ports.object_store, images, out))
    assert [one.is_new for one in again].count(False) == 2 and all(one.error is None for one in again)
    draft.unlink()
    assert found(out) == expected(delivered)


def test_an_archive_that_was_changed_is_told(delivered: Site, tmp_path: Path) -> None:
    archive = max((delivered.var / "store").rglob("*.tar.gz"), key=lambda path: path.stat().st_size)
    whole = archive.read_bytes()
    middle = len(whole) // 2
    archive.chmod(0o600)
    archive.write_bytes(whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :])
    ran = run("download", ALL, str(tmp_path / "out"))
    assert ran.code == 1 and "1 failed" in ran.lines[-1] and "NotAnImage" in ran.err
    archive.write_bytes(whole)
    assert len(found(tmp_path / "out")) == 6 and found(tmp_path / "out").items() <= expected(delivered).items()


def test_a_store_without_the_archive_is_an_error_in_one_line(delivered: Site, tmp_path: Path) -> None:
    shutil.rmtree(delivered.var / "store")
    ran = run("download", ALL, str(tmp_path / "out"))
    assert ran.code != 0 and "NoSuchObject" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["SELECT Modality FROM series"], 2, "select one of SOPInstanceUID"),
        (["DELETE FROM instance"], 2, "BadQuery"),
        (["nonsense"], 2, "BadQuery"),
        ([ALL, "--manifest", "x.csv"], 2, "either SQL or --manifest"),
        (["--manifest", "/nowhere.csv"], 2, "cannot be read"),
    ],
)
def test_wrong_use_is_told(site: Site, tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    ran = (
        run("download", *arguments[:1], str(tmp_path / "out"), *arguments[1:])
        if arguments[0] != "--manifest"
        else run("download", str(tmp_path / "out"), *arguments)
    )
    assert ran.code == code and said in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", ["1.2'; DROP", "", "../x", "a b"])
def test_a_manifest_holds_nothing_but_uids_and_pseudonyms(site: Site, tmp_path: Path, value: str) -> None:
    (tmp_path / "m.csv").write_text(f'SeriesInstanceUID\n"{value}"\n')
    ran = run("download", str(tmp_path / "out"), "--manifest", str(tmp_path / "m.csv"))
    assert ran.code == 2 and "no UID or pseudonym" in ran.err


def test_nothing_is_an_answer_too(site: Site, tmp_path: Path) -> None:
    ran = run("download", ALL, str(tmp_path / "out"))
    assert (ran.code, ran.lines) == (0, ["0 images, 0.0 MB: nothing matches."])


def test_a_full_disk_ends_it(delivered: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    out.write_text("a file where the folder should be")
    ports = Projects(delivered.settings).default
    with pytest.raises(ServiceDown, match="DiskRefused"):
        list(download(ports.object_store, chosen_by(ports.warehouse, ALL), out))
