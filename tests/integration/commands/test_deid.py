"""`deid`: the core alone, as a stranger to the project would use it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread

from sendit import keys
from sendit.pipeline.files import deid_files
from sendit.projects.composition import pseudonym_key
from tests.support.phantoms import leaks_in, make_study
from tests.support.shell import Ran, run
from tests.support.site import Site, delivery_of


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "Zqcanary in"
    make_study(folder, number=1, images=3)
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def deid(*arguments: object) -> Ran:
    return run("deid", *map(str, arguments))


def written(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def test_a_folder_is_deidentified_file_by_file(site: Site, source: Path, out: Path) -> None:
    ran = deid(source, out)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("3 files: 3 written, 0 filtered, 0 errors; 0.1 MB.")
    assert len(written(out)) == 3
    for name, data in written(out).items():
        assert leaks_in(name) == leaks_in(data) == []
    assert {path.stat().st_mtime for path in out.rglob("*.dcm")} == {0}, "when it was processed tells the date shift"


def test_outputs_are_named_by_their_new_uids(site: Site, source: Path, out: Path) -> None:
    deid(source, out)
    for path in out.rglob("*.dcm"):
        ds = dcmread(path)
        assert path.relative_to(out) == Path(ds.StudyInstanceUID) / f"{ds.SOPInstanceUID}.dcm"


def test_files_get_what_they_would_get_in_a_batch(site: Site, out: Path) -> None:
    folder = site.study(1, images=2)
    (batch,) = site.process()
    deid(folder, out)
    for path in out.rglob("*.dcm"):
        ds = dcmread(path)
        assert (ds.PatientID, ds.AccessionNumber) == (batch.entity_suid, batch.item_suid)
        assert ds.StudyDate == delivery_of(batch).object_name.split("_")[-2]


def test_a_blank_accession_number_gets_the_pseudonym_that_a_batch_gives(site: Site, out: Path) -> None:
    folder = site.study(1, images=1, AccessionNumber="")
    (batch,) = site.process()
    deid(folder, out)
    assert dcmread(next(out.rglob("*.dcm"))).AccessionNumber == batch.item_suid


def test_two_runs_agree_and_the_second_writes_nothing(site: Site, source: Path, out: Path) -> None:
    deid(source, out)
    before = written(out)
    ran = deid(source, out)
    assert (ran.code, ran.out) == (0, "3 files: 0 written, 3 already there, 0 filtered, 0 errors; 0.0 MB.\n")
    assert written(out) == before


def test_other_bytes_are_not_replaced_but_by_force(site: Site, source: Path, out: Path) -> None:
    deid(source, out)
    before = written(out)
    refused = deid(source, out, "--var", "jitter=11")
    assert refused.code == 1
    assert refused.err.count("OutputExists") == 3
    assert written(out) == before
    forced = deid(source, out, "--var", "jitter=11", "--force")
    assert forced.code == 0
    assert written(out).keys() == before.keys()
    assert written(out) != before


def test_a_file_goes_to_a_file_or_into_a_folder(site: Site, source: Path, out: Path) -> None:
    image = next(source.iterdir())
    assert deid(image, out / "deep" / "one.dcm").code == 0
    assert deid(image, out).code == 0
    assert len(written(out)) == 2
    assert dcmread(out / "deep" / "one.dcm").Modality == "CT"


def test_variables_take_the_place_of_the_identity_services_answer(site: Site, source: Path, out: Path) -> None:
    deid(source, out, "--var", "entity_id=P1", "--var", "item_id=S1", "--var", "jitter=0")
    ds = dcmread(next(out.rglob("*.dcm")))
    assert (ds.PatientID, ds.AccessionNumber, ds.StudyDate) == ("P1", "S1", "20040119")


def test_who_gives_all_variables_needs_no_patient_id(site: Site, tmp_path: Path, out: Path) -> None:
    folder = tmp_path / "nameless"
    make_study(folder, images=1, PatientID="")
    refused = deid(folder, out)
    assert (refused.code, refused.err) == (
        1,
        "file 1: error, MissingPatientID: The Patient ID is blank. Repair or re-export the file; or let "
        "SENDIT_BLANK_PATIENT_ID say what stands in for it.\n",
    )
    assert deid(folder, out, "--var", "entity_id=P1", "--var", "item_id=S1", "--var", "jitter=0").code == 0


def test_by_setting_the_folders_name_stands_in_for_a_blank_patient_id(site: Site, tmp_path: Path, out: Path) -> None:
    site.set(BLANK_PATIENT_ID="folder")
    for number in (1, 2):
        make_study(tmp_path / "nameless" / f"s{number}", number=number, images=1, PatientID="")
    assert deid(tmp_path / "nameless", out).code == 0
    assert len({dcmread(path).PatientID for path in out.rglob("*.dcm")}) == 2


def test_a_key_file_makes_other_pseudonyms(site: Site, source: Path, out: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"another secret of some length")
    deid(source, out / "a")
    deid(source, out / "b", "--key-file", key)
    deid(source, out / "c", "--key-file", site.var / "secrets" / "pseudonym.key")
    assert written(out / "a") == written(out / "c")
    assert not written(out / "a").keys() & written(out / "b").keys()


def test_a_recipe_may_be_a_file(site: Site, source: Path, out: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "own.recipe"
    recipe.write_text("FORMAT dicom\n%header\nREMOVE ALL\nKEEP Modality\n")
    assert deid(source, out, "--recipe", recipe).code == 0
    ds = dcmread(next(out.rglob("*.dcm")))
    assert "Modality" in ds and "Rows" not in ds


@pytest.mark.parametrize(("keyword", "tag"), [("StudyInstanceUID", "0020,000D"), ("SeriesInstanceUID", "0020,000E")])
def test_an_image_without_uids_is_not_written(site: Site, tmp_path: Path, out: Path, keyword: str, tag: str) -> None:
    make_study(tmp_path / "in", number=1, images=2, **{keyword: None})
    ran = deid(tmp_path / "in", out)
    assert (ran.code, ran.err.count(f"MissingUID at ({tag})"), written(out)) == (1, 2, {})


def test_filtered_and_broken_files_are_told_by_number(site: Site, source: Path, out: Path) -> None:
    make_study(source / "sub", number=1, images=1, SOPInstanceUID="1.2.3", BurnedInAnnotation="YES")
    (source / "Zqcanary notes").write_text("not DICOM")
    (source / "empty").touch()
    (source / "link").symlink_to(source / "empty")
    (source / "out of here").symlink_to("/etc/hostname")
    os.mkfifo(source / "pipe")
    ran = deid(source, out)
    assert ran.code == 1
    assert ran.out == "9 files: 3 written, 2 filtered, 4 errors; 0.1 MB.\n"
    assert [line.split(":")[0:2] for line in sorted(ran.err.splitlines())] == [
        ["file 4", " error, NotDicom"],
        ["file 5", " error, EmptyFile"],
        ["file 6", " filtered, sendit"],
        ["file 7", " error, LinkOutsideFolder"],
        ["file 8", " error, NotAFile"],
        ["file 9", " filtered, burned-in annotation"],
    ]


def test_an_identifier_that_another_image_knows_is_not_left_in(site: Site, tmp_path: Path, out: Path) -> None:
    folder = tmp_path / "in"
    make_study(folder / "a", number=1, images=1, OtherPatientNames="Quetzal^Xochitl")
    make_study(
        folder / "b", number=1, images=1, OtherPatientNames=None, SOPInstanceUID="1.2.3", ImageComments="for Quetzal"
    )
    recipe = tmp_path / "leaky.recipe"
    recipe.write_text("FORMAT dicom\n%header\nREMOVE ALL\nKEEP ImageComments\nKEEP SOPInstanceUID\n")
    ran = deid(folder, out, "--recipe", recipe)
    assert written(out) and b"Quetzal" not in b"".join(written(out).values())
    assert "Quetzal" not in ran.err


@pytest.mark.parametrize("place", ["same", "inside", "link"])
def test_out_may_not_be_inside_in(site: Site, source: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "link").symlink_to(source)
    ran = deid(source, {"same": source, "inside": source / "deep" / "out", "link": tmp_path / "link" / "out"}[place])
    assert (ran.code, ran.err) == (2, "OUT is IN, or inside it.")
    assert len(list(source.iterdir())) == 3


@pytest.mark.parametrize(
    "options", [["--var", "jitter"], ["--var", "=3"], ["--key-file", "/nowhere"], ["--recipe", "no-such-recipe"]]
)
def test_wrong_use_is_told_before_anything_is_written(site: Site, source: Path, out: Path, options: list[str]) -> None:
    assert deid(source, out, *options).code == 2
    assert written(out) == {}


def test_in_must_be_there(site: Site, tmp_path: Path) -> None:
    assert deid(tmp_path / "none", tmp_path / "out").code == 2


def test_a_file_is_there_as_a_whole_or_not(
    site: Site, source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(draft: Path, path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    pseudonym_key(site.settings)
    monkeypatch.setattr(deid_files.os, "link", fail)
    ran = deid(source, out)
    assert (ran.code, ran.err.split(":")[0]) == (1, "NoSpace (OUT)")
    assert written(out) == {}


def test_an_out_that_may_not_be_written_is_not_said_of_the_file(site: Site, source: Path, out: Path) -> None:
    image = next(source.iterdir())
    out.mkdir()
    deid(image, out)
    (study,) = out.iterdir()
    shutil.rmtree(study)
    study.write_text("no folder")
    ran = deid(image, out)
    assert ran.code == 1
    assert ran.err.startswith("file 1: error, DiskRefused (OUT): ")


def test_a_file_system_without_links_will_do(
    site: Site, source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(draft: Path, path: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    pseudonym_key(site.settings)
    monkeypatch.setattr(deid_files.os, "link", refuse)
    assert deid(source, out).code == 0
    assert deid(source, out).out.startswith("3 files: 0 written, 3 already there")


def test_it_runs_without_a_database(source: Path, out: Path, tmp_path: Path) -> None:
    var = tmp_path / "var"
    program = "import sys; sys.argv[1:1] = ['deid']; from sendit.__main__ import main; main(); print(*sys.modules)"
    keys.make(var / "secrets")
    environment = {"SENDIT_VAR": str(var), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", program, str(source), str(out)], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(written(out)) == 3
    assert not list(var.glob("*.sqlite3*"))
    assert "django.db.models" not in done.stdout.split()


def test_files_that_are_one_instance_are_told_as_in_a_batch(site: Site, source: Path, out: Path) -> None:
    first, second, _ = sorted(path for path in source.rglob("*") if path.is_file())
    shutil.copy(first, source / "copy")
    ds = dcmread(second)
    ds.InstanceNumber = 99
    ds.save_as(source / "differs")
    ran = deid(source, out)
    assert ran.code == 1
    assert ran.out.startswith("5 files: 2 written, 1 filtered, 2 errors")
    assert ran.err.count("ConflictingInstance at (0008,0018)") == 2 and ran.err.count("sendit: identical copy") == 1
    assert "--force" not in ran.err
