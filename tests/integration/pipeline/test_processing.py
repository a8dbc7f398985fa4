"""A study folder on its way: from files to the archive, the rows and the account of every file."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO

from sendit.errors import DataFault, ServiceDown, ServiceRefused
from sendit.pipeline import operations
from sendit.pipeline.record.leases import Job, LeaseLost
from sendit.pipeline.record.models import Batch, BatchIdentifiers, Event, Image
from sendit.pipeline.stages import processing
from sendit.pipeline.stages.archive import read_member
from sendit.pipeline.stages.outbox import Outbox
from sendit.pipeline.stages.work import Work
from tests.support.phantoms import accession_number, leaks_in, patient_id, uid
from tests.support.site import Site, delivery_of


def archive_of(site: Site, batch: Batch) -> Path:
    (path,) = (site.outbox / str(batch.pk)).glob("*.tar.gz")
    return path


def events_of(batch: Batch) -> list[str]:
    return list(batch.events.order_by("pk").values_list("name", flat=True))


def test_a_study_becomes_one_archive_and_its_rows(site: Site) -> None:
    site.study(images=5, series=2)
    (batch,) = site.process()
    assert (batch.state, batch.errors, batch.has_error) == ("DONEPROCESSING", [], False)
    assert (batch.found, batch.delivered, batch.filtered, batch.errored) == (5, 5, 0, 0)
    archive = archive_of(site, batch)
    stem = archive.name.removesuffix(".tar.gz")
    assert delivery_of(batch).object_name == f"Collection/IRB00000/Entity/{batch.entity_suid}/{archive.name}"
    assert stem.startswith(batch.entity_suid) and stem.endswith(batch.item_suid)
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    numbers = ("1_1", "1_2", "1_3", "2_1", "2_2")
    assert names == [stem, *(f"{stem}/{batch.item_suid}_{number}.dcm" for number in numbers)]


def test_every_image_row_leads_to_its_bytes_by_one_ranged_read(site: Site) -> None:
    site.study(images=3)
    (batch,) = site.process()
    content = archive_of(site, batch).read_bytes()
    rows = list(batch.images.order_by("number"))
    assert [row.number for row in rows] == [1, 2, 3]
    for row in rows:
        name, image = read_member(lambda offset, length: content[offset : offset + length], row.offset, row.length)
        assert (name, len(image)) == (row.member, row.size_bytes)
        assert hashlib.sha256(image).hexdigest() == row.sha256
        assert dcmread(DicomBytesIO(image)).Modality == "CT"


def test_what_leaves_is_de_identified(site: Site) -> None:
    folder = site.study(images=2)
    original = dcmread(next(folder.iterdir()))
    (batch,) = site.process()
    content = gzip.decompress(archive_of(site, batch).read_bytes())
    assert leaks_in(content) == []
    row = batch.images.get(number=1)
    _, image = read_member(lambda o, n: archive_of(site, batch).read_bytes()[o : o + n], row.offset, row.length)
    ds = dcmread(DicomBytesIO(image))
    assert (ds.PatientID, ds.AccessionNumber) == (batch.entity_suid, batch.item_suid)
    assert ds.StudyInstanceUID.startswith("2.25.") and ds.PixelData == original.PixelData
    assert len(ds.StudyDate) == 8 and ds.StudyDate != original.StudyDate


def test_originals_are_not_touched(site: Site) -> None:
    folder = site.study(images=2)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    site.process()
    site.deliver()
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before


def test_delivery_stores_the_archive_and_loads_both_tables(site: Site) -> None:
    site.study(images=3)
    (batch,) = site.process()
    content = archive_of(site, batch).read_bytes()
    (batch,) = site.deliver()
    assert batch.state == "DONE" and batch.delivered_at and not (site.outbox / str(batch.pk)).exists()
    assert site.ports.object_store.read(delivery_of(batch).object_name, 0, len(content)) == content
    instances = site.ports.warehouse.query('SELECT member, "offset", length, sha256 FROM instance ORDER BY member').rows
    assert [tuple(row) for row in instances] == list(
        batch.images.order_by("member").values_list("member", "offset", "length", "sha256")
    )
    ((header, count, uri),) = site.ports.warehouse.query("SELECT DicomHeader, image_count, storage_uri FROM dicom").rows
    assert (count, uri) == (3, delivery_of(batch).uri)
    shared = json.loads(str(header))
    assert (shared["Modality"], shared["IMAGE_COUNT"], shared["NumberOfSeries"]) == ("CT", 3, 1)
    assert "InstanceNumber" not in shared and "PixelData" not in shared


def test_the_same_folder_makes_the_same_bytes_again(site: Site) -> None:
    site.study(images=4)
    (batch,) = site.process()
    first = {path.name: path.read_bytes() for path in (site.outbox / str(batch.pk)).iterdir()}
    _set_state(batch, "QUEUE")
    (again,) = site.process()
    assert {path.name: path.read_bytes() for path in (site.outbox / str(again.pk)).iterdir()} == first


def test_a_batch_that_was_delivered_but_not_marked_is_delivered_again_without_a_second_row(site: Site) -> None:
    site.study(images=2)
    site.process()
    (batch,) = site.deliver()
    _set_state(batch, "QUEUE")
    batch.deliveries.update(state="WAITING", uri="", delivered_at=None)
    site.process()
    (batch,) = site.deliver()
    assert batch.state == "DONE"
    assert site.ports.warehouse.query("SELECT count(*) FROM dicom").rows[0][0] == 1
    assert site.ports.warehouse.query("SELECT count(*) FROM instance").rows[0][0] == 2


def _set_state(batch: Batch, state: str) -> None:
    """As a crash before the move, or a restored database, would leave it."""
    Batch.objects.filter(pk=batch.pk).update(state=state)


def test_identifiers_are_kept_encrypted_and_nowhere_else(site: Site) -> None:
    site.study(7, images=2)
    (batch,) = site.process()
    kept = batch.identifiers
    assert kept.folder.reveal()["uid"] == accession_number(7) == batch.uid.reveal()
    assert len(kept.files.reveal()) == 2
    assert kept.extracted.reveal()["PatientID"] == patient_id(7).replace("-", "")
    assert kept.request.reveal()["items"][0]["id"] == accession_number(7)
    assert kept.response.reveal()["suid"] == batch.entity_suid
    assert [found.pk for found in Batch.objects.for_uid(accession_number(7))] == [batch.pk]


def test_for_a_blank_accession_number_stands_the_study_instance_uid(site: Site) -> None:
    site.study(3, images=2, AccessionNumber="")
    (batch,) = site.process()
    assert batch.identifiers.request.reveal()["items"][0]["id"] == uid(3)
    assert batch.state == "DONEPROCESSING"


def test_the_study_date_asked_for_is_the_first_that_is_not_blank(site: Site) -> None:
    site.study(images=2, StudyDate="", SeriesDate="20200229")
    (batch,) = site.process()
    assert batch.identifiers.request.reveal()["items"][0]["id_timestamp"] == "2020-02-29T00:00:00Z"


def test_repeated_and_missing_numbers_make_names_that_are_all_kept(site: Site) -> None:
    site.study(images=3, SeriesNumber=4, InstanceNumber=None)
    (batch,) = site.process()
    stem = batch.item_suid
    assert list(batch.images.order_by("number").values_list("member", flat=True)) == [
        f"{stem}_4_NA.dcm",
        f"{stem}_4_NA_2.dcm",
        f"{stem}_4_NA_3.dcm",
    ]


def test_images_that_a_rule_withholds_are_filtered_by_its_name(site: Site) -> None:
    site.study(images=3)
    _one_more(site, 1, BurnedInAnnotation="YES")
    (batch,) = site.process()
    assert (batch.state, batch.delivered, batch.filtered, batch.has_error) == ("DONEPROCESSING", 3, 1, False)
    assert "burned-in" in batch.images.get(outcome="filtered").rule


def test_a_study_that_is_withheld_altogether_is_empty(site: Site) -> None:
    site.study(images=3, BurnedInAnnotation="YES")
    (batch,) = site.process()
    assert (batch.state, batch.found, batch.filtered, batch.has_error) == ("EMPTY", 3, 3, False)
    assert not (site.outbox / str(batch.pk)).exists()


def test_one_bad_file_among_good_ones_does_not_stop_them(site: Site) -> None:
    folder = site.study(images=3)
    (folder / "zqcanary.txt").write_text("not DICOM: Zqcanary")
    site.process()
    (batch,) = site.deliver()
    assert (batch.state, batch.has_error, batch.found, batch.delivered, batch.errored) == ("DONE", True, 4, 3, 1)
    assert batch.errors == [{"code": "NotDicom", "tag": "", "count": 1, "stage": "import"}]


def test_a_batch_whose_images_all_fail_is_an_error_and_makes_nothing(site: Site) -> None:
    site.study(images=2, FrameOfReferenceUID=f"1.2.{patient_id(1).replace('-', '')}")
    site.set(STUDY_DEID=str(_keeping(site, "FrameOfReferenceUID")))
    (batch,) = site.process()
    assert (batch.state, batch.found, batch.errored) == ("ERROR", 2, 2)
    assert {error["code"] for error in batch.errors} == {"ResidualIdentifier", "NothingDelivered"}
    assert not (site.outbox / str(batch.pk)).exists()


def _keeping(site: Site, keyword: str) -> Path:
    """The default recipe, but for one attribute that is kept."""
    path = site.var / "kept.recipe"
    path.write_text(f"FORMAT dicom\n%header\nREPLACE PatientID var:entity_id\nREMOVE ALL\nKEEP {keyword}\n")
    return path


def _one_more(site: Site, number: int, **attributes: object) -> None:
    """One more image in the folder of the numbered study."""
    folder = site.data / accession_number(number)
    ds = dcmread(next(iter(sorted(folder.iterdir()))))
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = uid(number, 1, 999)
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.save_as(folder / "one more.dcm", enforce_file_format=True)


class Unanswering:
    """An identity service that is down, or refuses."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def identify(self, request: object) -> object:
        raise self._error


def test_a_service_that_is_down_postpones_the_batch_longer_each_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.study(images=2)
    site.replace(identity_service=Unanswering(ServiceDown("NoSpace")))
    delays = []
    for _ in range(5):
        (batch,) = site.process()
        assert (batch.state, batch.waits_for, batch.attempts) == ("QUEUE", "NoSpace", 0)
        delays.append(batch.events.filter(name="batch.released").latest("pk").fields["seconds"])
        Batch.objects.update(not_before=batch.created_at)
    assert delays == [5, 10, 20, 40, 80]
    monkeypatch.undo()
    assert site.deliver() == []


def test_a_service_that_refuses_makes_the_batch_an_error_with_every_file_accounted_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.study(images=2)
    site.replace(identity_service=Unanswering(ServiceRefused("BadIdentityRequest")))
    (batch,) = site.process()
    assert (batch.state, batch.found, batch.errored) == ("ERROR", 2, 2)
    assert batch.errors == [{"code": "BadIdentityRequest", "tag": "", "count": 2, "stage": "identify"}]


def test_a_failure_that_nobody_expected_says_its_type_and_place_and_no_message(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.study(images=2)
    site.replace(identity_service=Unanswering(ZeroDivisionError("Zqcanary")))
    (batch,) = site.process()
    assert (batch.state, batch.errored, batch.errors[0]["code"]) == ("ERROR", 2, "UnexpectedFailure")
    fields = Event.objects.get(name="batch.failed").fields
    assert fields["failure"] == "ZeroDivisionError"
    assert fields["place"].startswith("pipeline/stages/identifying.py:")


def test_retry_begins_anew(site: Site) -> None:
    folder = site.study(images=2)
    (folder / "empty").touch()
    for path in folder.glob("*.dcm"):
        path.rename(site.data / path.name)
    (batch,) = site.process()
    assert (batch.state, batch.errors[0]["code"]) == ("ERROR", "NothingReadable")
    for path in site.data.glob("*.dcm"):
        path.rename(folder / path.name)
    retried = operations.retry(batch.pk, operations.COMMAND)
    assert retried and retried.is_queued
    batch.refresh_from_db()
    assert (batch.state, batch.errors, batch.found, Image.objects.count()) == ("QUEUE", [], 0, 0)
    (batch,) = site.process()
    assert (batch.state, batch.delivered, batch.errored) == ("DONEPROCESSING", 2, 1)
    assert BatchIdentifiers.objects.count() == 1


def test_a_folder_that_grows_while_it_is_processed_is_processed_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.study(1, images=2)
    service, grown = site.ports.identity_service, []

    class Meanwhile:
        def identify(self, request: object) -> object:
            grown.append(_one_more(site, 1, InstanceNumber=50 + len(grown)))
            return service.identify(request)  # type: ignore[arg-type]

    site.replace(identity_service=Meanwhile())
    (batch,) = site.process()
    assert (batch.state, batch.folder_changes, batch.delivered) == ("QUEUE", 1, 0)
    assert list(site.outbox.iterdir()) == []
    monkeypatch.undo()


def test_a_folder_that_never_rests_becomes_an_error(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = site.study(1, images=2)
    service = site.ports.identity_service

    class Meanwhile:
        def identify(self, request: object) -> object:
            with (folder / "log.txt").open("a") as file:
                file.write("more")
            return service.identify(request)  # type: ignore[arg-type]

    site.replace(identity_service=Meanwhile())
    for _ in range(site.settings.max_attempts):
        (batch,) = site.process()
        Batch.objects.update(not_before=batch.created_at)
    assert (batch.state, batch.found, batch.errored) == ("ERROR", 3, 3)
    assert batch.errors[0]["code"] == "FolderKeepsChanging"


def test_a_folder_that_changed_before_its_delivery_is_processed_again(site: Site) -> None:
    site.study(1, images=2)
    (batch,) = site.process()
    _one_more(site, 1)
    (batch,) = site.deliver()
    assert (batch.state, batch.folder_changes) == ("QUEUE", 1)
    Batch.objects.update(not_before=batch.created_at)
    site.process()
    (batch,) = site.deliver()
    assert (batch.state, batch.delivered) == ("DONE", 3)
    assert "batch.folder_changed" in events_of(batch)


def test_a_folder_that_is_gone_before_its_delivery_is_delivered_as_it_was(site: Site) -> None:
    folder = site.study(1, images=2)
    site.process()
    folder.rename(site.data / "elsewhere.tmp")
    (batch,) = site.deliver()
    assert batch.state == "DONE"
    assert "batch.folder_gone" in events_of(batch)


def test_an_outbox_that_is_gone_before_delivery_is_made_again(site: Site) -> None:
    site.study(1, images=2)
    (batch,) = site.process()
    archive_of(site, batch).unlink()
    (batch,) = site.deliver()
    assert batch.state == "QUEUE"


def test_a_store_that_refuses_makes_the_batch_an_error_and_delivers_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.study(images=2)
    site.process()

    class Refusing:
        def put(self, *args: object) -> object:
            raise ServiceRefused("ObjectConflict")

    site.replace(object_store=Refusing())
    (batch,) = site.deliver()
    assert (batch.state, batch.found, batch.delivered, batch.errored) == ("ERROR", 2, 0, 2)
    assert batch.errors == [{"code": "ObjectConflict", "tag": "", "count": 2, "stage": "deliver"}]
    assert set(batch.images.values_list("outcome", "code")) == {("error", "ObjectConflict")}


def test_the_history_of_a_batch_is_told_in_order(site: Site) -> None:
    site.study(images=1)
    site.process()
    (batch,) = site.deliver()
    assert events_of(batch) == [
        "batch.found",
        "batch.queued",
        "batch.claimed",
        "batch.processed",
        "batch.claimed",
        "batch.delivered",
    ]


def test_a_worker_that_lost_its_lease_harms_nothing_of_the_next_ones(site: Site) -> None:
    site.study(images=2)
    (pk,) = site.queue()
    zombie = site.claim(pk, Job.PROCESS)
    assert zombie
    Batch.objects.update(lease_expires_at=zombie.batch.created_at)
    heir = site.attempt(pk, Job.PROCESS)
    assert heir
    before = {path: path.read_bytes() for path in (site.outbox / str(pk)).iterdir()}
    work = Work(zombie, Outbox(site.outbox))
    for steps in (
        lambda: processing.process(work, site.ports),
        lambda: processing.fail(work, DataFault("MixedPatients")),
    ):
        with pytest.raises(LeaseLost):
            steps()
    assert {path: path.read_bytes() for path in (site.outbox / str(pk)).iterdir()} == before
    assert Batch.objects.get().state == "DONEPROCESSING" and Image.objects.filter(outcome="delivered").count() == 2
