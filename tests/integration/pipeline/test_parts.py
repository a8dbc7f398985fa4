"""Studies that grow: what comes after a delivery goes out as the study's next part, once, whatever happens."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from pydicom import dcmread

from sendit.errors import ServiceRefused
from sendit.phi import Phi
from sendit.pipeline import operations
from sendit.pipeline.record import studies
from sendit.pipeline.record.models import Batch, BatchIdentifiers, Delivery, Image, Study
from sendit.pipeline.record.states import Job
from sendit.pipeline.stages import parts as stages_of_parts
from sendit.pipeline.stages.identity import request_for
from tests.support.phantoms import accession_number, make_study, patient_id
from tests.support.site import Site

BEFORE = "sendit: delivered before"
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)


def add(folder: Path, *instances: int, number: int = 1, **attributes: Any) -> list[Path]:
    """Add images of the numbered study to a folder, by their instance numbers."""
    made = folder.parent / ".made"
    make_study(made, images=max(instances), number=number, **attributes)
    folder.mkdir(exist_ok=True)
    files = sorted(made.iterdir())
    added = [shutil.copy2(files[instance - 1], folder / f"{instance:04}.dcm") for instance in instances]
    shutil.rmtree(made)
    return [Path(path) for path in added]


def run(site: Site) -> list[Batch]:
    """Take up what is there, process and deliver it; all batches."""
    Batch.objects.filter(state="QUEUE").update(not_before=BEGINNING)
    site.process()
    site.deliver()
    return list(Batch.objects.order_by("pk"))


def parts(site: Site) -> list[tuple[int, str, int]]:
    """Number, end of the name and images of each archive in the store."""
    rows = Delivery.objects.filter(state="DONE").order_by("part")
    for row in rows:
        assert site.ports.object_store.read(row.object_name, 0, 2) == b"\x1f\x8b"
    return [(row.part, row.object_name.partition(row.batch.item_suid)[2], row.images) for row in rows]


def report_of(site: Site, part: int) -> dict[str, Any]:
    name = Delivery.objects.get(part=part, state="DONE").object_name.replace(".tar.gz", ".report.json")
    return json.loads((site.settings.store_folder / name).read_text())


def instances(site: Site) -> list[tuple[Any, ...]]:
    return list(site.ports.warehouse.query("SELECT InstanceNumber, part FROM instance ORDER BY InstanceNumber").rows)


def test_late_images_in_the_same_folder_are_the_next_part(site: Site) -> None:
    folder = site.data / "ACC1"
    add(folder, 1, 2, 3)
    (batch,) = run(site)
    assert (batch.state, batch.found, batch.delivered) == ("DONE", 3, 3)
    add(folder, 4, 5)
    (batch,) = run(site)
    assert (batch.state, batch.found, batch.delivered, batch.errors) == ("DONE", 5, 5, [])
    assert parts(site) == [(1, ".tar.gz", 3), (2, ".part2.tar.gz", 2)]
    assert instances(site) == [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)]
    assert list(batch.images.order_by("number").values_list("outcome", "part")) == [
        *[("delivered", 1)] * 3,
        *[("delivered", 2)] * 2,
    ]
    report = report_of(site, 2)
    assert report["part"] == {
        "number": 2,
        "generation": 1,
        "proven_by_own_identifiers_alone": False,
        "known_by_uid_alone": 0,
    }
    assert report["files"] == {"found": 2, "delivered": 2, "filtered": 0, "in_review": 0, "errored": 0}
    assert "batch.folder_grew" in batch.events.values_list("name", flat=True)


def outcomes(batch: Batch) -> list[tuple[str, str]]:
    return [(row.outcome, row.rule or row.code) for row in batch.images.order_by("number")]


def test_a_copy_beside_an_image_that_was_delivered_is_not_delivered_again(site: Site) -> None:
    folder = site.data / "ACC1"
    first, _ = add(folder, 1, 2)
    run(site)
    shutil.copy2(first, folder / "copy.dcm")
    changed = dcmread(first)
    changed.PatientComments = "other bytes under the same UID"
    changed.save_as(folder / "other.dcm")
    (batch,) = run(site)
    assert (batch.state, [one.images for one in batch.deliveries.all()]) == ("DONE", [2])
    expected = [
        ("delivered", ""),
        ("delivered", ""),
        ("filtered", "sendit: delivered before"),
        ("error", "ChangedInstance"),
    ]
    assert outcomes(batch) == expected


def test_a_second_folder_of_the_study_is_its_next_part(site: Site) -> None:
    add(site.data / "ACC1", 1, 2)
    run(site)
    add(site.data / "ACC1.late1", 2, 3)
    first, second = run(site)
    assert first.study == second.study and Study.objects.count() == 1
    assert (second.state, second.found, second.delivered, second.filtered) == ("DONE", 2, 1, 1)
    assert outcomes(second) == [("filtered", BEFORE), ("delivered", "")]
    assert parts(site) == [(1, ".tar.gz", 2), (2, ".part2.tar.gz", 1)]
    assert report_of(site, 2)["filtered"] == [{"rule": BEFORE, "count": 1}]
    assert instances(site) == [(1, 1), (2, 1), (3, 2)]


def test_a_second_folder_with_nothing_new_is_empty(site: Site) -> None:
    add(site.data / "ACC1", 1, 2)
    run(site)
    add(site.data / "again", 1, 2)
    _, second = run(site)
    assert (second.state, second.filtered) == ("EMPTY", 2)
    assert parts(site) == [(1, ".tar.gz", 2)]


def test_the_same_instance_with_other_bytes_is_an_error_that_says_so(site: Site) -> None:
    folder = site.data / "ACC1"
    add(folder, 1, 2)
    run(site)
    add(site.data / "ACC1.late1", 2, 3, StudyDescription="Other")
    add(folder, 1, StudyDescription="Other")
    first, second = run(site)
    assert outcomes(second) == [("error", "ChangedInstance"), ("delivered", "")]
    assert (first.state, first.found, first.delivered, first.errored) == ("DONE", 3, 2, 1)
    assert outcomes(first) == [("error", "ChangedInstance"), ("delivered", ""), ("delivered", "")]
    assert instances(site) == [(1, 1), (2, 1), (3, 2)]


def test_renamed_moved_and_removed_files_stay_delivered_and_are_not_delivered_again(site: Site) -> None:
    folder = site.data / "ACC1"
    one, two, three = add(folder, 1, 2, 3)
    run(site)
    one.rename(folder / "renamed.dcm")
    (folder / "sub").mkdir()
    two.rename(folder / "sub" / "two.dcm")
    three.unlink()
    add(folder, 4)
    (batch,) = run(site)
    assert (batch.state, batch.found, batch.delivered) == ("DONE", 4, 4)
    assert parts(site) == [(1, ".tar.gz", 3), (2, ".part2.tar.gz", 1)]
    assert batch.images.filter(part=1).count() == 3


def test_what_comes_later_may_be_of_no_use(site: Site) -> None:
    folder = site.data / "ACC1"
    add(folder, 1)
    run(site)
    (folder / "notes.txt").write_text("no image")
    (batch,) = run(site)
    assert (batch.state, batch.found, batch.delivered, batch.errored) == ("DONE", 2, 1, 1)
    assert parts(site) == [(1, ".tar.gz", 1)]
    assert "batch.nothing_new" in batch.events.values_list("name", flat=True)
    add(folder, 2)
    (batch,) = run(site)
    assert (batch.delivered, batch.errored, [error["count"] for error in batch.errors]) == (2, 1, [1])
    assert report_of(site, 2)["files"] == {"found": 1, "delivered": 1, "filtered": 0, "in_review": 0, "errored": 0}


def test_another_patients_image_stops_the_part_and_not_what_was_delivered(site: Site) -> None:
    folder = site.data / "ACC1"
    add(folder, 1, 2)
    run(site)
    (other,) = add(folder, 3, number=2)
    (batch,) = run(site)
    assert (batch.state, batch.found, batch.delivered, batch.errored) == ("ERROR", 3, 2, 1)
    assert batch.errors[0]["code"] in ("MixedPatients", "MixedStudies")
    other.unlink()
    add(folder, 4)
    site.call("retry", str(batch.pk))
    (batch,) = run(site)
    assert (batch.state, batch.found, batch.delivered, batch.errors) == ("DONE", 3, 3, [])
    assert parts(site) == [(1, ".tar.gz", 2), (2, ".part2.tar.gz", 1)]


def test_a_study_of_another_study_uid_is_an_error_unless_a_setting_allows_it(site: Site) -> None:
    add(site.data / "ACC1", 1)
    run(site)
    add(site.data / "ACC1.late1", 2, StudyInstanceUID="1.2.826.0.1.7337001973.77")
    _, second = run(site)
    assert (second.state, second.errors[0]["code"]) == ("ERROR", "MixedStudies")
    site.set(SEVERAL_STUDY_UIDS=True)
    site.call("retry", str(second.pk))
    _, second = run(site)
    assert (second.state, second.delivered) == ("DONE", 1)
    assert parts(site) == [(1, ".tar.gz", 1), (2, ".part2.tar.gz", 1)]


def test_parts_may_be_delivered_in_any_order(site: Site) -> None:
    add(site.data / "ACC1", 1)
    add(site.data / "ACC1.late1", 1, 2)
    first, second = site.process()
    assert (first.state, second.state, second.filtered) == ("DONEPROCESSING", "DONEPROCESSING", 1)
    for batch in (second, first):
        site.attempt(batch.pk, Job.DELIVER)
    assert parts(site) == [(1, ".tar.gz", 1), (2, ".part2.tar.gz", 1)]
    assert instances(site) == [(1, 1), (2, 2)]


def test_while_one_batch_of_a_study_is_processed_another_one_waits(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages_of_parts, "BUSY_SECONDS", 0.0)
    add(site.data / "ACC1", 1)
    add(site.data / "ACC1.late1", 1, 2)
    first, second = site.queue()
    held = site.claim(first, Job.PROCESS)
    study = make_held(site, first)
    site.attempt(second, Job.PROCESS)
    waiting = Batch.objects.get(pk=second)
    assert (waiting.state, waiting.waits_for) == ("QUEUE", "StudyBusy")
    held.release()
    run(site)
    assert Study.objects.get() == study
    assert sorted(instances(site))[0][0] == 1 and len(instances(site)) == 2


def make_held(site: Site, batch: int) -> Study:
    """The study of the first folder, as a worker has it that has just asked for its pseudonyms."""
    names = site.ports.project.identity
    request = request_for(names, Phi(patient_id(1).replace("-", "")), Phi(accession_number(1)), Phi(""), Phi(""))
    answer = site.ports.identity_service.identify(request)
    held = studies.hold("default", answer.entity.suid, answer.items[0].suid, batch)
    assert held is not None
    return held.study


def test_a_part_is_searched_for_the_identifiers_of_the_whole_study(site: Site) -> None:
    name = "Zqcanary^Peculiarsurname"
    add(site.data / "ACC1", 1, OperatorsName=name)
    run(site)
    add(site.data / "ACC1.late1", 2, StudyDescription="seen by Peculiarsurname")
    _, second = run(site)
    assert second.delivered == 1
    ((told,),) = site.ports.warehouse.query("SELECT StudyDescription FROM dicom WHERE part = 2").rows
    assert "Peculiarsurname" not in str(told)


def purge(*batches: Batch) -> None:
    BatchIdentifiers.objects.filter(batch__in=batches).delete()


def test_after_a_purge_an_image_that_names_its_study_is_proven_by_its_own_identifiers(site: Site) -> None:
    add(site.data / "ACC1", 1)
    purge(*run(site))
    add(site.data / "ACC1.late1", 1, 2)
    _, second = run(site)
    assert (second.state, second.delivered, second.filtered) == ("DONE", 1, 1)
    assert report_of(site, 2)["part"]["proven_by_own_identifiers_alone"] is True


def test_after_a_purge_an_image_that_does_not_name_its_study_is_an_error(site: Site) -> None:
    add(site.data / "ACC1", 1)
    purge(*run(site))
    late = site.data / "ACC1.late1"
    add(late, 2)
    add(late, 3, AccessionNumber="")
    _, second = run(site)
    assert outcomes(second) == [("delivered", ""), ("error", "IdentifiersPurged")]


def study_dates(site: Site) -> list[Any]:
    sql = "SELECT tag_date(header, 'StudyDate') FROM instance ORDER BY part"
    return [row[0] for row in site.ports.warehouse.query(sql).rows]


@pytest.mark.parametrize("is_purged", [False, True], ids=["kept", "purged"])
@pytest.mark.parametrize("place", ["ACC1", "ACC1.late1"])
def test_a_part_has_the_date_shift_of_its_study_after_the_setting_has_changed(
    site: Site, place: str, is_purged: bool
) -> None:
    add(site.data / "ACC1", 1)
    (batch,) = run(site)
    if is_purged:
        purge(batch)
    site.set(MAX_DATE_SHIFT_DAYS=20_000)
    add(site.data / place, 2)
    run(site)
    first, second = study_dates(site)
    assert first == second
    assert [report_of(site, part)["files"]["delivered"] for part in (1, 2)] == [1, 1]


def test_a_study_that_is_made_again_takes_the_date_shift_of_the_new_setting(site: Site) -> None:
    add(site.data / "ACC1", 1)
    add(site.data / "ACC1.late1", 2)
    run(site)
    before = study_dates(site)
    site.set(MAX_DATE_SHIFT_DAYS=20_000)
    list(operations.redeliver([Study.objects.get().pk], "the setting changed", "somebody"))
    run(site)
    first, second = study_dates(site)
    assert first == second and [first, second] != before


def test_a_folder_of_a_batch_that_was_purged_may_grow_too(site: Site) -> None:
    folder = site.data / "ACC1"
    add(folder, 1)
    purge(*run(site))
    add(folder, 2)
    (batch,) = run(site)
    assert (batch.state, batch.found, batch.delivered) == ("DONE", 2, 2)
    assert report_of(site, 2)["part"]["proven_by_own_identifiers_alone"] is True


def of_earlier_version() -> None:
    """As a version has left it that kept no digests."""
    Image.objects.update(file_digest=None, instance_digest=None, content_digest=None)
    BatchIdentifiers.objects.update(searched=Phi(None))
    Study.objects.update(uid_digests=[], held_by=None)


def test_of_a_delivery_of_an_earlier_version_the_uid_alone_decides_and_the_report_says_so(site: Site) -> None:
    folder = site.data / "ACC1"
    add(folder, 1, 2)
    run(site)
    of_earlier_version()
    add(folder, 3)
    (batch,) = run(site)
    assert (batch.state, batch.found, batch.delivered) == ("DONE", 3, 3)
    assert parts(site) == [(1, ".tar.gz", 2), (2, ".part2.tar.gz", 1)]
    assert report_of(site, 2)["part"]["known_by_uid_alone"] == 2
    of_earlier_version()
    add(site.data / "ACC1.late1", 2, 3, 4)
    _, second = run(site)
    assert (second.state, second.delivered, second.filtered) == ("DONE", 1, 2)


def test_what_an_earlier_version_delivered_must_be_in_the_warehouse(site: Site) -> None:
    folder = site.data / "ACC1"
    add(folder, 1)
    run(site)
    of_earlier_version()
    shutil.rmtree(site.settings.warehouse_folder)
    add(folder, 2)
    (batch,) = run(site)
    assert (batch.state, batch.delivered, batch.errors[0]["code"]) == ("ERROR", 1, "DeliveryUnknown")


def test_a_part_that_the_store_refuses_harms_no_earlier_one_and_keeps_its_number(site: Site) -> None:
    folder = site.data / "ACC1"
    add(folder, 1, 2)
    run(site)
    add(folder, 3)
    site.process()
    store = site.ports.object_store
    site.replace(object_store=Refusing())
    site.deliver()
    site.replace(object_store=store)
    (batch,) = Batch.objects.all()
    assert (batch.state, batch.found, batch.delivered, batch.errored) == ("ERROR", 3, 2, 1)
    site.call("retry", str(batch.pk))
    (batch,) = run(site)
    assert (batch.state, batch.found, batch.delivered) == ("DONE", 3, 3)
    assert parts(site) == [(1, ".tar.gz", 2), (2, ".part2.tar.gz", 1)]


class Refusing:
    def put(self, *_: Any) -> None:
        raise ServiceRefused("AccessDenied")


def test_the_view_study_has_one_row_whatever_the_number_of_parts(site: Site) -> None:
    folder = site.data / "ACC1"
    add(folder, 1, 2)
    add(site.data / "ACC2", 1, number=2)
    run(site)
    add(folder, 3, 4, SeriesInstanceUID="1.2.826.0.1.7337001973.88")
    run(site)
    rows = site.ports.warehouse.query(
        "SELECT parts, image_count, series_count, generation, size_bytes > 0 FROM study ORDER BY parts"
    ).rows
    assert list(rows) == [(1, 1, 1, 1, True), (2, 4, 2, 1, True)]
    assert [row[0] for row in site.ports.warehouse.query("SELECT part FROM dicom ORDER BY part").rows] == [1, 1, 2]


def test_rows_of_an_earlier_version_are_part_one(site: Site) -> None:
    add(site.data / "ACC1", 1)
    run(site)
    for table in ("dicom", "instance"):
        (path,) = site.settings.warehouse_folder.rglob(f"{table}/*.parquet")
        path.chmod(0o600)
        rows = pyarrow.parquet.read_table(path)
        pyarrow.parquet.write_table(rows.drop_columns(["part", "generation"]), path)
    assert site.ports.warehouse.query("SELECT part, generation FROM dicom").rows == [(1, 1)]
    assert site.ports.warehouse.query("SELECT parts, generation, series_count FROM study").rows == [(1, 1, 1)]


class Halfway:
    """A warehouse that refuses what is loaded, so that the archive stands without its rows."""

    def load(self, *_: Any) -> int:
        raise ServiceRefused("LoadRefused")


def halfway(site: Site) -> Batch:
    """A batch whose archive is in the store and whose rows are nowhere."""
    warehouse = site.ports.warehouse
    site.replace(warehouse=Halfway())
    (batch,) = run(site)
    site.replace(warehouse=warehouse)
    assert batch.state == "ERROR" and len(list(site.settings.store_folder.rglob("*.tar.gz"))) == 1
    return batch


def test_an_archive_that_an_earlier_attempt_left_gives_way_to_one_of_other_bytes(site: Site) -> None:
    folder = site.data / "ACC1"
    add(folder, 1)
    batch = halfway(site)
    add(folder, 2)
    site.call("retry", str(batch.pk))
    (batch,) = run(site)
    assert (batch.state, batch.delivered) == ("DONE", 2)
    assert parts(site) == [(1, ".tar.gz", 2)] and instances(site) == [(1, 1), (2, 1)]


def test_an_archive_that_an_earlier_attempt_left_goes_when_another_batch_has_delivered_its_images(site: Site) -> None:
    add(site.data / "ACC1", 1)
    batch = halfway(site)
    add(site.data / "ACC1.late1", 1)
    run(site)
    site.call("retry", str(batch.pk))
    first, second = run(site)
    assert (first.state, second.state, second.delivered) == ("EMPTY", "DONE", 1)
    assert parts(site) == [(2, ".part2.tar.gz", 1)] and instances(site) == [(1, 2)]
    assert len(list(site.settings.store_folder.rglob("*.tar.gz"))) == 1


def test_an_object_of_another_database_is_no_attempt_of_ours(site: Site) -> None:
    add(site.data / "ACC1", 1)
    site.process()
    (batch,) = Batch.objects.all()
    foreign = site.settings.store_folder / batch.deliveries.get().object_name
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"of somebody else")
    site.deliver()
    add(site.data / "ACC1", 2)
    site.call("retry", str(batch.pk))
    (batch,) = run(site)
    assert (batch.state, batch.errors[0]["code"]) == ("ERROR", "ObjectConflict")
    assert foreign.read_bytes() == b"of somebody else"
    foreign.unlink()


def test_what_is_exported_again_into_a_cleaned_folder_is_taken_up_once(site: Site) -> None:
    """Also where the copy has the names, sizes and times of what was there, so that its fingerprint is the same."""
    site.set(ORIGINALS="delete", IDENTIFIERS="purge")
    folder = site.data / "ACC1"
    add(folder, 1, 2)
    shutil.copytree(folder, site.data.parent / "kept")
    run(site)
    site.call("clean_up")
    assert not folder.exists()
    shutil.copytree(site.data.parent / "kept", folder)
    for _ in range(2):
        site.call("start_queue", "--number", "all")
    (batch,) = run(site)
    assert (batch.state, batch.found, batch.delivered) == ("DONE", 2, 2)
    assert batch.events.filter(name="batch.folder_grew").count() == 1
    assert parts(site) == [(1, ".tar.gz", 2)]
