"""`sort`: any heap becomes finished study folders, and nothing that an archive says is believed."""

from __future__ import annotations

import errno
import gzip
import io
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread

from sendit.pipeline.files import heap, sorting
from sendit.pipeline.intake.folders import is_finished
from tests.support.phantoms import FILES, accession_number, leaks_in, make_study, uid
from tests.support.shell import Ran, run
from tests.support.site import Site


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A flat folder with the files of four patients, a text file and a DICOMDIR."""
    flat = tmp_path / "export"
    flat.mkdir()
    for number in range(1, 5):
        for path in make_study(tmp_path / "made" / str(number), number=number, images=3):
            shutil.move(path, flat / f"{number} {path.name}")
    (flat / "readme.txt").write_text("about the export")
    shutil.copy(FILES / "dicomdirtests" / "DICOMDIR", flat)
    return flat


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def sort(*sources: Path, into: Path) -> Ran:
    """Run it; neither what it says nor a file's name may identify."""
    ran = run("sort", *map(str, sources), "--into", str(into))
    assert leaks_in("\n".join(path.name for path in into.rglob("*") if path.is_file())) == []
    return ran


def studies(data: Path) -> dict[str, list[str]]:
    """The finished folders, with the SOP Instance UIDs in each."""
    folders = [path for path in sorted(data.iterdir()) if path.is_dir() and is_finished(path.name)]
    return {folder.name: sorted(dcmread(path).SOPInstanceUID for path in folder.iterdir()) for folder in folders}


EXPECTED = {accession_number(n): [uid(n, 1, i) for i in (1, 2, 3)] for n in range(1, 5)}


def as_zip(source: Path, target: Path, name: Callable[[Path], str] = lambda path: path.name) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(source.iterdir()):
            archive.write(path, name(path))
    return target


def as_tar(source: Path, target: Path, mode: str) -> Path:
    with tarfile.open(target, mode) as archive:  # type: ignore[call-overload]
        archive.add(source, "export")
    return target


# ---------------------------------------------------------------------------------------------- heaps


def test_a_flat_folder_of_four_patients_becomes_four_studies_by_hard_links(source: Path, data: Path) -> None:
    ran = sort(source, into=data)
    assert (ran.code, studies(data)) == (0, EXPECTED)
    assert "4 study folders made, of 12 files." in ran.out
    assert "1 file left: not DICOM." in ran.out and "1 file left: a DICOMDIR" in ran.out
    linked = {path.stat().st_ino for path in data.rglob("*.dcm")}
    assert linked <= {path.stat().st_ino for path in source.iterdir()}
    assert not any(path.is_symlink() for path in data.rglob("*"))
    assert len(list(source.iterdir())) == 14


PACKED: dict[str, Callable[[Path, Path], Path]] = {
    "zip": lambda source, at: as_zip(source, at / "export.zip"),
    "tar": lambda source, at: as_tar(source, at / "export.tar", "w"),
    "tar.gz": lambda source, at: as_tar(source, at / "packed", "w:gz"),
    "tar.xz": lambda source, at: as_tar(source, at / "export.dat", "w:xz"),
    "zip in a zip": lambda source, at: as_zip(as_zip(source, at / "in" / "a.zip").parent, at / "out.zip"),
    "tar.gz in a zip": lambda source, at: as_zip(as_tar(source, at / "in" / "a", "w:gz").parent, at / "out.zip"),
    "zip with names that lead out": lambda source, at: as_zip(
        source, at / "export.zip", lambda path: f"../../../{at}/escaped/{path.name}"
    ),
}


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_an_archive_is_sorted_as_what_is_in_it(
    source: Path, data: Path, tmp_path: Path, pack: Callable[[Path, Path], Path]
) -> None:
    (tmp_path / "in").mkdir()
    archive = pack(source, tmp_path)
    shutil.rmtree(source)
    ran = sort(archive, into=data)
    assert (ran.code, studies(data)) == (0, EXPECTED)
    assert not (tmp_path / "escaped").exists()


def test_compressed_files_are_files(source: Path, data: Path) -> None:
    for path in list(source.glob("*.dcm")):
        path.with_suffix(".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert (sort(source, into=data).code, studies(data)) == (0, EXPECTED)


def test_a_cd_with_sub_folders_and_a_dicomdir(data: Path) -> None:
    ran = run("sort", str(FILES / "dicomdirtests"), "--into", str(data))
    assert ran.code == 0 and "7 study folders made, of 81 files." in ran.out
    assert all(name.isascii() and "/" not in name for name in studies(data))


def test_what_it_makes_is_delivered(source: Path, site: Site) -> None:
    ran = run("sort", str(source))
    assert ran.code == 0
    assert [(batch.state, batch.delivered) for batch in site.process()] == [("DONEPROCESSING", 3)] * 4


# ---------------------------------------------------------------------------------------------- which study


def test_without_an_accession_number_a_folder_is_called_by_its_study(source: Path, data: Path) -> None:
    for path in source.glob("[12] *.dcm"):
        change(path, AccessionNumber="" if "0001" in path.name else None)
    sort(source, into=data)
    assert set(studies(data)) == {uid(1), uid(2), accession_number(3), accession_number(4)}


def change(path: Path, **values: object) -> None:
    ds = dcmread(path)
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    ds.save_as(path)


def test_a_blank_accession_number_or_patient_id_is_that_of_its_study(source: Path, data: Path) -> None:
    change(next(source.glob("1 *0001.dcm")), AccessionNumber="")
    change(next(source.glob("2 *0002.dcm")), PatientID="")
    sort(source, into=data)
    assert studies(data) == EXPECTED


def test_studies_that_share_an_accession_number_have_folders_of_their_own(source: Path, data: Path) -> None:
    for path in source.glob("[12] *.dcm"):
        change(path, AccessionNumber="77")
    sort(source, into=data)
    assert sorted(map(len, studies(data).values())) == [3, 3, 3, 3]
    first = studies(data)
    assert sum(name.startswith("77_") for name in first) == 2
    sort(*source.glob("1 *.dcm"), into=data)
    assert studies(data) == first


@pytest.mark.parametrize(
    "name", ["../../etc", "a/b", "..", ".", ".hidden", "x.tmp", "x.err", "x.TMP7", "A B\\C", "é" * 64]
)
def test_an_accession_number_that_is_no_name_of_a_folder_becomes_one(data: Path, tmp_path: Path, name: str) -> None:
    make_study(tmp_path / "made", number=1, images=1, AccessionNumber=None)
    path = next((tmp_path / "made").iterdir())
    ds = dcmread(path)
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.add_new("AccessionNumber", "LO", name)
    ds.save_as(path)
    assert sort(tmp_path / "made", into=data).code == 0
    (folder,) = studies(data)
    assert is_finished(folder) and (data / folder).parent == data


def test_an_image_that_tells_nothing_of_its_study_is_left_and_said(source: Path, data: Path) -> None:
    change(next(source.glob("1 *0001.dcm")), AccessionNumber="", StudyInstanceUID="")
    ran = sort(source, into=data)
    assert ran.code == 1
    assert "1 file left: without Study Instance UID and accession number." in ran.out


def test_copies_are_left_and_images_that_differ_are_kept(source: Path, data: Path) -> None:
    first = next(source.glob("1 *0001.dcm"))
    shutil.copy(first, source / "copy.dcm")
    shutil.copy(first, source / "other.dcm")
    change(source / "other.dcm", InstanceNumber=99)
    ran = sort(source, into=data)
    assert "1 file left: an identical copy of another file." in ran.out
    assert len(studies(data)[accession_number(1)]) == 4


# ---------------------------------------------------------------------------------------------- again


def test_the_same_again_changes_nothing(source: Path, data: Path) -> None:
    sort(source, into=data)
    before = {path: path.stat().st_ctime_ns for path in data.rglob("*.dcm")}
    ran = sort(source, into=data)
    assert "0 study folders made" in ran.out and "12 files left: already in a study folder." in ran.out
    assert {path: path.stat().st_ctime_ns for path in data.rglob("*.dcm")} == before


def test_what_comes_late_gets_a_folder_beside_the_finished_one(source: Path, data: Path) -> None:
    late = next(source.glob("1 *0003.dcm"))
    late.rename(source.parent / "late.dcm")
    sort(source, into=data)
    sort(source, source.parent / "late.dcm", into=data)
    made = studies(data)
    assert made[accession_number(1)] == EXPECTED[accession_number(1)][:2]
    assert made[f"{accession_number(1)}.late1"] == EXPECTED[accession_number(1)][2:]


@pytest.mark.parametrize("nth", [1, 4, 7, 12])
def test_stopped_anywhere_the_next_run_goes_on(
    source: Path, data: Path, nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, link = [nth], os.link

    def counting(*args: object, **options: object) -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        link(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(heap.os, "link", counting)
    with pytest.raises(KeyboardInterrupt):
        sort(source, into=data)
    monkeypatch.undo()
    before = studies(data)
    assert all(EXPECTED[name] == images for name, images in before.items())
    assert sort(source, into=data).code == 0
    assert studies(data) == EXPECTED
    assert [path for path in data.iterdir() if not is_finished(path.name)] == [data / sorting.LOCK]


def test_where_links_are_not_possible_files_are_copied(
    source: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(heap.os, "link", refuse)
    assert "3 copied" in sort(source, into=data).out
    assert studies(data) == EXPECTED


def test_two_at_once_are_refused(source: Path, data: Path) -> None:
    data.mkdir()
    with sorting.locked(data / sorting.LOCK):
        assert sort(source, into=data).code == 2
    assert studies(data) == {}


@pytest.mark.parametrize("given", ["gone", "."])
def test_a_source_that_makes_no_sense_is_wrong_use(data: Path, given: str) -> None:
    data.mkdir()
    assert sort(data / given, into=data).code == 2


def test_folders_are_named_only_when_asked(source: Path, data: Path) -> None:
    ran = run("sort", str(source), "--into", str(data), "--reveal", reveals=True)
    assert all(any(line.startswith(name) for line in ran.lines) for name in EXPECTED)


# ---------------------------------------------------------------------------------------------- hostile archives


def test_links_and_devices_in_a_tar_lead_nowhere(source: Path, data: Path, tmp_path: Path) -> None:
    archive = as_tar(source, tmp_path / "a.tar", "w")
    with tarfile.open(archive, "a") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo("../../evil")
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
    shutil.rmtree(source)
    assert (sort(archive, into=data).code, studies(data)) == (0, EXPECTED)


@pytest.mark.parametrize("packed", ["zip", "tar.gz", "gz"])
def test_an_archive_that_would_fill_the_disk_is_refused(
    source: Path, data: Path, monkeypatch: pytest.MonkeyPatch, packed: str
) -> None:
    monkeypatch.setattr(heap, "ALLOWANCE", 1 << 20)
    bomb = next(source.glob("1 *0001.dcm")).read_bytes() + bytes(64 << 20)
    if packed == "zip":
        with zipfile.ZipFile(source / "bomb", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("image.dcm", bomb)
    elif packed == "gz":
        (source / "bomb").write_bytes(gzip.compress(bomb))
    else:
        with tarfile.open(source / "bomb", "w:gz") as tar:
            member = tarfile.TarInfo("image.dcm")
            member.size = len(bomb)
            tar.addfile(member, io.BytesIO(bomb))
    ran = sort(source, into=data)
    assert ran.code == 1 and "expands to more than 200 times its size" in ran.out
    assert studies(data) == EXPECTED
    assert sum(path.stat().st_size for path in data.rglob("*")) < 8 << 20


def damage(content: bytes) -> bytes:
    return content[: len(content) // 2] + bytes(2000) + content[len(content) // 2 + 2000 :]


def encrypt(content: bytes) -> bytes:
    """Set the flag that says so in every header of a ZIP."""
    found = bytearray(content)
    for magic, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        start = -1
        while (start := content.find(magic, start + 1)) >= 0:
            found[start + at] |= 1
    return bytes(found)


@pytest.mark.parametrize("spoil", [damage, encrypt, lambda content: content[:-200]], ids=["damaged", "locked", "cut"])
@pytest.mark.parametrize("packed", ["zip", "tar.gz"])
def test_an_archive_that_cannot_be_read_is_said_and_stops_nothing_else(
    source: Path, data: Path, tmp_path: Path, spoil: Callable[[bytes], bytes], packed: str
) -> None:
    other = make_study(tmp_path / "other", number=9, images=2)[0].parent
    archive = PACKED[packed](other, tmp_path)
    (source / "spoilt").write_bytes(spoil(archive.read_bytes()))
    ran = sort(source, into=data)
    assert {name: images for name, images in studies(data).items() if name in EXPECTED} == EXPECTED
    if (packed, spoil) != ("tar.gz", encrypt):
        assert ran.code == 1 and re_left(ran), ran.out


def test_a_tar_that_is_cut_between_two_members_is_said(source: Path, data: Path, tmp_path: Path) -> None:
    archive = as_tar(source, tmp_path / "a.tar", "w")
    with tarfile.open(archive) as tar:
        end = tar.getmembers()[7].offset
    archive.write_bytes(archive.read_bytes()[:end])
    ran = sort(archive, into=data)
    assert ran.code == 1 and re_left(ran)


def re_left(ran: Ran) -> bool:
    return "which is an archive that is damaged" in ran.out or "which cannot be read" in ran.out


def test_a_link_in_the_heap_is_not_followed(source: Path, data: Path, tmp_path: Path) -> None:
    elsewhere = make_study(tmp_path / "elsewhere", number=9, images=1)[0]
    (source / "link.dcm").symlink_to(elsewhere)
    (source / "folder").symlink_to(elsewhere.parent)
    sort(source, into=data)
    assert studies(data) == EXPECTED
