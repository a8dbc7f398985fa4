"""C-STORE by dcmtk's storescu: what arrives, byte for byte, and in which folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.filereader import read_partial

from sendit.pipeline.record.models import Batch, Event
from sendit.receiving.models import Arrival, Landing
from tests.support.dicom_network import Receiving, dcmtk, receiving_on, send_as_it_is, wait
from tests.support.phantoms import accession_number, bundled, leaks_in, make_study, patient_id, uid
from tests.support.site import Site


@pytest.fixture
def receiving(site: Site) -> Iterator[Receiving]:
    with receiving_on(site) as receiving:
        yield receiving


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where the senders have their files."""
    return tmp_path / "out"


def dataset_bytes(path: Path) -> bytes:
    """The encoded dataset, without File Meta."""
    with path.open("rb") as stream:
        read_partial(stream, stop_when=lambda *_: True)
        return stream.read()


def by_instance(paths: list[Path]) -> dict[str, Dataset]:
    """The datasets by their UID, without the padding at the end, which storescu leaves out."""
    datasets = {str(ds.SOPInstanceUID): ds for ds in map(dcmread, paths)}
    for ds in datasets.values():
        ds.pop("DataSetTrailingPadding", None)
    return datasets


def test_an_echo_is_answered(receiving: Receiving) -> None:
    done = dcmtk("echoscu", "-aec", "SENDIT", "-aet", "STORESCU", "127.0.0.1", receiving.port)
    assert done.returncode == 0, done.stdout


def test_a_folder_of_studies_becomes_a_folder_for_each(receiving: Receiving, out: Path) -> None:
    sent = {number: make_study(out / str(number), number=number, images=4, series=2) for number in (1, 2, 3)}
    assert receiving.send(out).returncode == 0
    assert receiving.wait_for_folders(3) == [accession_number(number) for number in sent]
    for number, paths in sent.items():
        assert by_instance(receiving.images(accession_number(number))) == by_instance(paths)


def test_what_arrived_becomes_batches_that_say_why_it_was_complete(receiving: Receiving, out: Path) -> None:
    make_study(out, number=1, images=3)
    assert receiving.send(out).returncode == 0
    receiving.wait_for_folders(1)
    batches = receiving.site.process()
    assert [(batch.state, batch.delivered) for batch in batches] == [("DONEPROCESSING", 3)]
    (event,) = Event.objects.filter(name="batch.received")
    assert event.fields == {"evidence": "quiet", "images": 3}
    assert Batch.objects.for_uid(accession_number(1)).count() == 1


def test_no_identifier_is_left_once_a_study_is_handed_over(receiving: Receiving, out: Path) -> None:
    make_study(out, number=1, images=1)
    assert receiving.send(out).returncode == 0
    receiving.wait_for_folders(1)
    wait(lambda: Landing.objects.filter(folder__isnull=False).count() <= 1)  # the staging folder's has none
    assert Arrival.objects.count() == 1
    assert leaks_in(repr(list(Arrival.objects.values()))) == []


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_RLE.dcm",
        "JPEG2000.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "JPEGLSNearLossless_16.dcm",
        "image_dfl.dcm",
        "reportsi.dcm",
        "rtplan.dcm",
        "waveform_ecg.dcm",
    ],
)
def test_every_transfer_syntax_is_kept_as_it_was_sent(receiving: Receiving, name: str) -> None:
    ds = dcmread(bundled(name))
    assert send_as_it_is(receiving.port, bundled(name)) == 0x0000
    (folder,) = receiving.wait_for_folders(1)
    (image,) = receiving.images(folder)
    meta = dcmread(image, stop_before_pixels=True).file_meta
    assert meta.TransferSyntaxUID == ds.file_meta.TransferSyntaxUID
    assert meta.MediaStorageSOPClassUID == ds.SOPClassUID
    assert meta.MediaStorageSOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID
    assert dataset_bytes(image) == dataset_bytes(bundled(name))


def test_images_without_an_accession_number_land_by_their_study(receiving: Receiving, out: Path) -> None:
    make_study(out, number=4, images=2, AccessionNumber="")
    assert receiving.send(out).returncode == 0
    assert receiving.wait_for_folders(1) == [uid(4)]


def test_an_accession_number_that_comes_later_names_the_folder(receiving: Receiving, out: Path) -> None:
    first, second = make_study(out, number=4, images=2)
    ds = dcmread(first)
    ds.AccessionNumber = ""
    ds.save_as(first)
    receiving.site.set(LISTENER_QUIET_SECONDS=1.0)
    assert receiving.send(first, second).returncode == 0
    assert receiving.wait_for_folders(1) == [accession_number(4)]


@pytest.mark.parametrize(
    ("accession", "name"),
    [
        ("../../../x", "%2E.%2F..%2F..%2Fx"),
        ("..", "%2E."),
        ("a/b", "a%2Fb"),
        ("/", "%2F"),
        ("x.tmp", "x%2Etmp"),
        ("x.ERR", "x%2EERR"),
        (".hidden", "%2Ehidden"),
        ("a b\t", "a%20b%09"),
        ("\x07\x1b[2J", "%07%1B%5B2J"),
    ],
)
def test_a_hostile_accession_number_never_leaves_the_data_folder(
    receiving: Receiving, out: Path, accession: str, name: str
) -> None:
    make_study(out, number=5, images=1, AccessionNumber=accession)
    before = sorted(path.name for path in receiving.site.data.parent.iterdir())
    assert receiving.send(out).returncode == 0
    assert receiving.wait_for_folders(1) == [name]
    assert sorted(path.name for path in receiving.site.data.parent.iterdir()) == before


def test_two_long_accession_numbers_get_two_short_names(receiving: Receiving, out: Path) -> None:
    for number in (1, 2):
        make_study(out / str(number), number=number, images=1, AccessionNumber="9" * 300 + str(number))
    assert receiving.send(out).returncode == 0
    names = receiving.wait_for_folders(2)
    assert len(set(names)) == 2 and max(map(len, names)) <= 100


def test_two_patients_in_one_study_come_together_and_stop_as_mixed(receiving: Receiving, out: Path) -> None:
    _, second = make_study(out, number=6, images=2)
    ds = dcmread(second)
    ds.PatientID = patient_id(7)
    ds.save_as(second)
    assert receiving.send(out).returncode == 0
    (folder,) = receiving.wait_for_folders(1)
    assert len(receiving.images(folder)) == 2
    (batch,) = receiving.site.process()
    assert [error["code"] for error in batch.errors] == ["MixedPatients"]


def test_two_studies_of_one_accession_number_get_folders_of_their_own(receiving: Receiving, out: Path) -> None:
    for number in (1, 2):
        make_study(out / str(number), number=number, images=1, AccessionNumber="A1")
    assert receiving.send(out).returncode == 0
    assert receiving.wait_for_folders(2) == ["A1", "A1.late1"]


def test_the_same_instance_twice_is_kept_once(receiving: Receiving, out: Path) -> None:
    make_study(out, number=1, images=3)
    assert receiving.send(out, options=("--repeat", "3")).returncode == 0
    (folder,) = receiving.wait_for_folders(1)
    assert len(receiving.images(folder)) == 3


def test_the_same_instance_with_other_bytes_is_kept_and_left_to_a_person(receiving: Receiving, out: Path) -> None:
    (first,) = make_study(out / "1", number=1, images=1)
    (second,) = make_study(out / "2", number=1, images=1, BodyPartExamined="ARM")
    assert receiving.send(first, second).returncode == 0
    (folder,) = receiving.wait_for_folders(1)
    assert len(receiving.images(folder)) == 2
    (batch,) = receiving.site.process()
    assert {error["code"] for error in batch.errors} >= {"ConflictingInstance"}


def test_what_comes_late_gets_a_folder_beside_the_first(receiving: Receiving, out: Path) -> None:
    make_study(out / "1", number=1, images=2)
    assert receiving.send(out / "1").returncode == 0
    receiving.wait_for_folders(1)
    make_study(out / "2", number=1, images=4)
    assert receiving.send(out / "2").returncode == 0
    assert receiving.wait_for_folders(2) == [accession_number(1), f"{accession_number(1)}.late1"]


def test_a_name_that_was_a_batch_is_not_used_again(receiving: Receiving, out: Path) -> None:
    """Or nobody would take the new folder: a folder becomes a batch only once."""
    folder = receiving.site.study(1, images=1)
    receiving.site.queue()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    make_study(out, number=1, images=1)
    assert receiving.send(out).returncode == 0
    assert receiving.wait_for_folders(1) == [f"{accession_number(1)}.late1"]


def test_a_stranger_is_rejected(receiving: Receiving) -> None:
    for calling, called in (("NOBODY", "SENDIT"), ("STORESCU", "OTHER")):
        done = dcmtk("echoscu", "-v", "-aec", called, "-aet", calling, "127.0.0.1", receiving.port)
        assert done.returncode != 0
        assert f"{'Calling' if called == 'SENDIT' else 'Called'} AE Title Not Recognized" in done.stdout


def test_a_full_disk_is_answered_with_a700(receiving: Receiving, out: Path) -> None:
    receiving.stop()
    receiving.site.set(LISTENER_MIN_FREE_MB=10**12)
    receiving.start()
    make_study(out, number=1, images=1)
    done = receiving.send(out, options=("-v",))
    assert "OutOfResources" in done.stdout, done.stdout
    assert receiving.folders() == receiving.unfinished() == []


def test_an_image_that_is_too_large_is_answered_with_a700(receiving: Receiving, out: Path) -> None:
    receiving.stop()
    receiving.site.set(LISTENER_MAX_OBJECT_MB=1)
    receiving.start()
    make_study(out / "large", number=1, images=1, pixels=(1, 1024, 1024))
    make_study(out / "small", number=2, images=1)
    done = receiving.send(out / "large", out / "small", options=("-v", "-nh"))
    assert "OutOfResources" in done.stdout, done.stdout
    assert receiving.wait_for_folders(1) == [accession_number(2)]


def test_images_without_a_study_instance_uid_are_kept_for_a_person_to_look_at(receiving: Receiving, out: Path) -> None:
    make_study(out, number=1, images=2, StudyInstanceUID=None)
    assert receiving.send(out).returncode == 0
    assert receiving.wait_for_folders(1) == [accession_number(1)]
    (batch,) = receiving.site.process()
    assert {error["code"] for error in batch.errors} >= {"MissingUID"}


def test_what_is_no_dataset_is_refused(receiving: Receiving, out: Path) -> None:
    out.mkdir()
    path = out / "x.dcm"
    content = bundled("MR_small.dcm").read_bytes()
    path.write_bytes(content[: len(content) - len(dataset_bytes(bundled("MR_small.dcm")))] + b"\xff" * 5000)
    assert send_as_it_is(receiving.port, path) == 0xC000
    assert receiving.folders() == receiving.unfinished() == []


def test_a_stopped_listener_keeps_what_has_landed(receiving: Receiving, out: Path) -> None:
    receiving.stop()
    receiving.site.set(LISTENER_QUIET_SECONDS=600)
    receiving.start()
    make_study(out, number=1, images=2)
    assert receiving.send(out).returncode == 0
    receiving.stop()
    assert receiving.folders() == [] and len(receiving.unfinished()) == 1
    receiving.site.set(LISTENER_QUIET_SECONDS=0.2)
    receiving.start()
    (folder,) = receiving.wait_for_folders(1)
    assert folder == accession_number(1) and len(receiving.images(folder)) == 2


def test_another_copiers_folder_is_left_alone(receiving: Receiving, out: Path) -> None:
    receiving.stop()
    others = receiving.site.data / "A.tmp-sendit-0123456789abcdef"
    make_study(others, number=9, images=1)
    receiving.start()
    make_study(out, number=1, images=1)
    assert receiving.send(out).returncode == 0
    receiving.wait_for_folders(1)
    assert len(list(others.iterdir())) == 1
