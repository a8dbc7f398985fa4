"""Odd folders and odd files: each has one decided outcome, said in docs/folders.md; nothing is lost."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.fileset import FileSet

from sendit.pipeline.record.models import Batch
from tests.support.phantoms import accession_number, bundled, leaks_in, make_study, patient_id, plant, uid
from tests.support.site import Site


def outcomes(batch: Batch) -> dict[str, str]:
    """What became of each file, by its name."""
    names = batch.identifiers.files.reveal()
    rows = batch.images.order_by("number").values_list("rule", "code")
    return {name: rule or code or "delivered" for name, (rule, code) in zip(names, rows, strict=True)}


def process(site: Site) -> Batch:
    (batch,) = site.process()
    assert batch.found == batch.delivered + batch.filtered + batch.errored == batch.images.count()
    return batch


def test_two_patients_are_not_one_batch(site: Site) -> None:
    site.study(images=4, patients=2)
    batch = process(site)
    assert (batch.state, batch.found, batch.errored) == ("ERROR", 4, 4)
    assert batch.errors == [{"code": "MixedPatients", "tag": "", "count": 4, "stage": "import"}]


def test_a_patient_id_with_and_without_dashes_is_one_patient(site: Site) -> None:
    folder = site.study(images=2)
    _rewrite(sorted(folder.iterdir())[0], PatientID=patient_id(1).replace("-", ""))
    assert process(site).delivered == 2


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "AccessionNumber"])
def test_two_studies_are_not_one_batch(site: Site, keyword: str) -> None:
    folder = site.study(images=4)
    _rewrite(sorted(folder.iterdir())[0], **{keyword: "1.2.3.4"})
    batch = process(site)
    assert (batch.state, batch.errored, batch.errors[0]["code"]) == ("ERROR", 4, "MixedStudies")


def test_a_blank_patient_id_among_others_is_that_images_error(site: Site) -> None:
    folder = site.study(images=3)
    _rewrite(sorted(folder.iterdir())[1], PatientID="")
    batch = process(site)
    assert (batch.state, batch.has_error) == ("DONEPROCESSING", True)
    assert list(outcomes(batch).values()) == ["delivered", "MissingPatientID", "delivered"]
    assert batch.images.get(code="MissingPatientID").tag == "0010,0020"


def test_a_folder_without_any_patient_id_is_an_error(site: Site) -> None:
    site.study(images=2, PatientID="")
    batch = process(site)
    assert (batch.state, batch.errored, batch.errors[0]["code"]) == ("ERROR", 2, "MissingPatientID")


@pytest.mark.parametrize("content", [{}, {"a": b""}, {"a": b"not DICOM", "b": b""}], ids=["nothing", "empty", "text"])
def test_a_folder_without_a_readable_image_is_an_error(site: Site, content: dict[str, bytes]) -> None:
    folder = site.data / accession_number(1)
    folder.mkdir()
    for name, data in content.items():
        (folder / name).write_bytes(data)
    batch = process(site)
    assert (batch.state, batch.found, batch.errored) == ("ERROR", len(content), len(content))
    assert batch.errors[0]["code"] == "NothingReadable"


def test_files_that_are_no_images(site: Site) -> None:
    folder = site.study(images=2)
    first = sorted(folder.iterdir())[0]
    (folder / "empty.dcm").touch()
    (folder / "notes.txt").write_text("Zqcanary said so")
    (folder / "short.dcm").write_bytes(first.read_bytes()[:400])
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(folder, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{here}/socket")
        batch = process(site)
        os.close(here)
    assert (batch.state, batch.has_error, batch.delivered) == ("DONEPROCESSING", True, 2)
    found = outcomes(batch)
    assert found["empty.dcm"] == "EmptyFile"
    assert found["notes.txt"] == "NotDicom"
    assert found["short.dcm"] == "Truncated"
    assert found["pipe"] == found["socket"] == "NotAFile"


def test_an_identical_copy_is_filtered(site: Site) -> None:
    folder = site.study(images=2)
    first = sorted(folder.iterdir())[0]
    shutil.copy(first, folder / "copy.dcm")
    batch = process(site)
    assert (batch.state, batch.delivered, batch.has_error) == ("DONEPROCESSING", 2, False)
    assert outcomes(batch)[first.name] == "delivered"
    assert outcomes(batch)["copy.dcm"] == "sendit: identical copy"


def test_different_images_with_one_uid_are_all_errors(site: Site) -> None:
    folder = site.study(images=3)
    first, second, _ = sorted(folder.iterdir())
    shutil.copy(first, folder / "copy.dcm")
    _rewrite(second, SOPInstanceUID=dcmread(first).SOPInstanceUID)
    batch = process(site)
    assert (batch.state, batch.delivered, batch.errored) == ("DONEPROCESSING", 1, 3)
    assert set(batch.images.filter(outcome="error").values_list("code", flat=True)) == {"ConflictingInstance"}


def test_sub_folders_are_walked_in_order_of_names(site: Site) -> None:
    folder = site.study(images=1)
    make_study(folder / "b" / "deep", number=1, images=1, SOPInstanceUID=uid(1, 1, 8))
    make_study(folder / "a", number=1, images=1, SOPInstanceUID=uid(1, 1, 9))
    batch = process(site)
    assert list(outcomes(batch)) == ["Zqcanary 0001.dcm", "a/Zqcanary 0001.dcm", "b/deep/Zqcanary 0001.dcm"]
    assert batch.delivered == 3


def test_a_dicomdir_is_filtered(site: Site) -> None:
    folder = site.study(images=2)
    shutil.copy(bundled("dicomdirtests/DICOMDIR"), folder / "DICOMDIR")
    batch = process(site)
    assert (batch.delivered, batch.filtered, batch.has_error) == (2, 1, False)
    assert outcomes(batch)["DICOMDIR"] == "sendit: DICOMDIR"


def test_links_are_never_followed(site: Site) -> None:
    folder = site.study(images=2)
    first = sorted(folder.iterdir())[0]
    elsewhere = make_study(site.data.parent / "elsewhere", number=2, images=1)[0]
    (folder / "inside").symlink_to(first.name)
    (folder / "outside").symlink_to(elsewhere)
    (folder / "dangling").symlink_to("nowhere")
    (folder / "folder outside").symlink_to(elsewhere.parent)
    (folder / "loop").symlink_to(".")
    batch = process(site)
    assert (batch.state, batch.delivered) == ("DONEPROCESSING", 2)
    found = outcomes(batch)
    assert found["inside"] == found["loop"] == "sendit: link inside the folder"
    assert {found[name] for name in ("outside", "dangling", "folder outside")} == {"LinkOutsideFolder"}


def test_names_that_are_not_utf8_work_like_any_other(site: Site) -> None:
    folder = os.fsencode(site.data) + b"/ST-\xff\xfe"
    make_study(site.data / "ST", number=1, images=2, AccessionNumber="")
    os.rename(site.data / "ST", folder)
    first = sorted(os.listdir(folder))[0]
    os.rename(folder + b"/" + first, folder + b"/\xe9\x80 \n.dcm")
    batch = process(site)
    assert (batch.state, batch.delivered) == ("DONEPROCESSING", 2)
    assert "\udce9\udc80 \n.dcm" in outcomes(batch)
    assert batch.uid.reveal() == "ST-\udcff\udcfe"
    assert site.deliver()[0].state == "DONE"


def test_a_study_of_big_endian_deflated_and_compressed_images(site: Site) -> None:
    folder = site.data / accession_number(1)
    folder.mkdir()
    names = ("MR_small_bigendian.dcm", "MR_small_RLE.dcm", "MR_small_implicit.dcm", "image_dfl.dcm", "JPEG2000.dcm")
    for instance, name in enumerate(names, 1):
        ds = dcmread(bundled(name))
        plant(ds, 1, 1, 1, instance)
        ds.BurnedInAnnotation = "NO"
        ds.save_as(folder / name)
    batch = process(site)
    syntaxes = {name: outcome for name, outcome in outcomes(batch).items() if outcome == "delivered"}
    assert batch.errored == 0 and set(names[:3]) <= set(syntaxes)


def test_unfinished_and_failed_folders_are_left_alone(site: Site) -> None:
    for name in ("ST-1.tmp2343", "ST-2.TMP", "ST-3.err", ".ST-4", "ST-5.tmp"):
        make_study(site.data / name, number=1, images=1)
    make_study(site.data.parent / "linked", number=2, images=1)
    (site.data / "ST-6").symlink_to(site.data.parent / "linked")
    (site.data / "file").touch()
    assert site.process() == []
    (site.data / "ST-1.tmp2343").rename(site.data / "ST-1")
    assert process(site).delivered == 1


def test_messages_of_odd_folders_name_no_identifier(site: Site) -> None:
    folder = site.study(images=2, patients=2)
    (folder / "Zqcanary.txt").write_text("x")
    process(site)
    out = site.run("status")
    assert "MixedPatients" in out.stdout and leaks_in(out.stdout) == []


def _rewrite(path: Path, **attributes: object) -> None:
    ds = dcmread(path)
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.save_as(path, enforce_file_format=True)


def test_a_real_dicomdir_fileset_is_a_batch_too(site: Site) -> None:
    """As a CD comes: a DICOMDIR and sub-folders."""
    source = make_study(site.data.parent / "source", number=4, images=3)
    files = FileSet()
    for path in source:
        files.add(path)
    files.write(site.data / accession_number(4))
    batch = process(site)
    assert (batch.state, batch.delivered, batch.filtered) == ("DONEPROCESSING", 3, 1)


@pytest.mark.parametrize("stands_in", ["folder", "accession"])
def test_by_setting_another_id_stands_in_for_a_blank_patient_id(site: Site, stands_in: str) -> None:
    site.set(BLANK_PATIENT_ID=stands_in)
    site.study(1, images=2, PatientID="")
    site.study(2, images=1, PatientID="")
    first, second = sorted(site.process(), key=lambda batch: batch.found, reverse=True)
    assert (first.state, first.delivered, second.state) == ("DONEPROCESSING", 2, "DONEPROCESSING")
    assert first.entity_suid != second.entity_suid
    asked = first.identifiers.request.reveal()["id"]
    assert asked == accession_number(1).replace("-", "")


def test_a_blank_patient_id_among_others_is_the_same_patient_by_setting(site: Site) -> None:
    site.set(BLANK_PATIENT_ID="folder")
    folder = site.study(images=3)
    _rewrite(sorted(folder.iterdir())[1], PatientID="")
    batch = process(site)
    assert (batch.state, batch.delivered) == ("DONEPROCESSING", 3)
    assert batch.identifiers.request.reveal()["id"] == patient_id(1).replace("-", "")


def test_names_of_two_people_are_two_patients_even_where_a_folder_stands_in(site: Site) -> None:
    site.set(BLANK_PATIENT_ID="folder")
    folder = site.study(images=3, PatientID="", PatientName="Abelard^Piotr")
    first, second, _ = sorted(folder.iterdir())
    _rewrite(first, PatientName="ABELARD^PIOTR^M")
    _rewrite(second, PatientName="Heloise^Ana")
    assert process(site).errors[0]["code"] == "MixedPatients"


def test_one_name_may_be_longer_than_the_other_where_a_folder_stands_in(site: Site) -> None:
    site.set(BLANK_PATIENT_ID="folder")
    folder = site.study(images=3, PatientID="", PatientName="Abelard^Piotr")
    first, second, _ = sorted(folder.iterdir())
    _rewrite(first, PatientName="ABELARD^PIOTR^M")
    _rewrite(second, PatientName="")
    assert process(site).delivered == 3


def test_no_accession_number_stands_in_for_nobody(site: Site) -> None:
    site.set(BLANK_PATIENT_ID="accession")
    site.study(images=1, PatientID="", AccessionNumber="")
    assert process(site).errors[0]["code"] == "MissingPatientID"
