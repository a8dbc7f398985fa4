"""The same study twice, without an accession number: it keeps its pseudonym, whatever its folders are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sendit.adapters.identity_local import LocalIdentityService
from sendit.pipeline.record.models import Batch, BatchIdentifiers, Delivery, Study
from sendit.projects import catalogue, composition
from tests.integration.pipeline.test_parts import add, of_earlier_version, run
from tests.support.shell import run as command
from tests.support.site import Site

WITHOUT = {"AccessionNumber": ""}


def rows(site: Site) -> list[dict[str, str]]:
    sql = "SELECT CodedAccessionNumberID AS suid, CAST(study_date AS VARCHAR) AS study_date, part FROM dicom"
    return json.loads(command("query", "--format", "json", sql).out)


def test_a_copy_under_another_name_is_the_same_study_and_nothing_is_delivered_twice(site: Site) -> None:
    add(site.data / "monday", 1, 2, **WITHOUT)
    add(site.data / "tuesday copy", 1, 2, 3, **WITHOUT)
    first, second = run(site)
    assert (first.state, first.delivered, second.state, second.delivered, second.filtered) == ("DONE", 2, "DONE", 1, 2)
    assert first.item_suid == second.item_suid and Study.objects.count() == 1
    assert sorted(row["part"] for row in rows(site)) == [1, 2]
    assert len({row["study_date"] for row in rows(site)}) == 1


def test_folders_of_one_name_are_not_one_study(site: Site) -> None:
    site.set(DATA_INPUT_FOLDERS=("one", "other"))
    for number, place in enumerate(("one", "other"), 1):
        (site.data / place).mkdir()
        add(site.data / place / "study", 1, number=number, PatientID="7337001973-1", **WITHOUT)
    first, second = run(site)
    assert first.item_suid != second.item_suid


def test_a_pseudonym_by_the_study_is_none_that_an_accession_number_has(site: Site) -> None:
    add(site.data / "a", 1, **WITHOUT)
    (batch,) = run(site)
    uid = BatchIdentifiers.objects.get().request.reveal()["items"][0]["id"]
    add(site.data / "b", 1, number=2, AccessionNumber=uid[:16])
    assert uid.startswith("1.2.826")
    assert batch.item_suid not in {other.item_suid for other in run(site) if other.pk != batch.pk}


@pytest.mark.parametrize("purged", [False, True])
def test_an_accession_number_that_comes_later_changes_no_pseudonym(site: Site, purged: bool) -> None:
    add(site.data / "a", 1, **WITHOUT)
    run(site)
    if purged:
        site.set(IDENTIFIERS="purge")
        command("clean_up")
    add(site.data / "b", 2)
    first, second = run(site)
    assert first.item_suid == second.item_suid
    assert (second.state, second.delivered) == ("DONE", 1)
    assert len({row["study_date"] for row in rows(site)}) == 1


def test_the_same_uid_of_another_patient_is_another_study(site: Site) -> None:
    add(site.data / "a", 1, **WITHOUT)
    add(site.data / "b", 1, PatientID="7337001973-99999", PatientName="Zqcanary^Other", **WITHOUT)
    first, second = run(site)
    assert first.item_suid != second.item_suid


def test_what_an_earlier_version_delivered_under_a_folders_name_keeps_that_pseudonym(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr("sendit.projects.project.LOCAL_UID_SOURCE", "")
        add(site.data / "a folder's name", 1, **WITHOUT)
        (before,) = run(site)
    catalogue.load.cache_clear()  # a process of its own would have read nothing yet
    of_earlier_version()
    add(site.data / "another", 1, 2, **WITHOUT)
    _, second = run(site)
    assert second.item_suid == before.item_suid
    assert (second.state, second.delivered, second.filtered) == ("DONE", 1, 1)
    assert len({row["study_date"] for row in rows(site)}) == 1


def test_at_dasher_the_setting_says_what_is_asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Asked(LocalIdentityService):
        def identify(self, request):  # type: ignore[no-untyped-def]
            asked.extend((item.id_source, item.id.reveal()) for item in request.items)
            return super().identify(request)

    monkeypatch.setattr(composition, "identity_service", lambda *_: Asked(b"a key of sixteen bytes", 365))
    monkeypatch.setattr("sendit.pipeline.checks.dasher", lambda **_: [])
    site.set(ANONYMIZE_RESTFUL=True)
    add(site.data / "a folder's name", 1, **WITHOUT)
    run(site)
    site.set(ITEM_ID_SOURCE_UID="Study UID")
    add(site.data / "b", 1, number=2, **WITHOUT)
    run(site)
    assert [source for source, _ in asked] == ["DCM Accession #", "Study UID"]
    assert asked[0][1] == "a folder's name" and asked[1][1].startswith("1.2.826")


def test_files_get_the_pseudonym_that_a_batch_gives(site: Site, tmp_path: Path) -> None:
    (path,) = add(site.data / "a", 1, **WITHOUT)
    (batch,) = run(site)
    out = tmp_path / "out"
    assert command("deid", str(path), str(out)).code == 0
    from pydicom import dcmread

    assert dcmread(out).AccessionNumber == batch.item_suid
    assert Batch.objects.count() == Delivery.objects.count() == 1
