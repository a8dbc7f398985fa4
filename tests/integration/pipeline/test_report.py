"""The de-identification report: beside its archive, equal to what the archive holds, and of nobody."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import sendit
from sendit.deid.identifiers.identifiers import VERIFIED
from sendit.pipeline.stages import reporting
from tests.support.phantoms import leaks_in
from tests.support.site import Site, delivery_of


def delivered(site: Site) -> Any:
    site.process()
    [batch] = site.deliver()
    assert batch.state == "DONE", batch.errors
    return batch


def beside(site: Site, batch: Any, name: str) -> Path:
    return site.settings.store_folder / delivery_of(batch).object_name.replace(".tar.gz", f".{name}")


def report_of(site: Site, batch: Any) -> dict[str, Any]:
    return json.loads(beside(site, batch, reporting.JSON).read_text())


def test_it_says_what_the_batch_is_and_by_which_rules(site: Site) -> None:
    site.study(1, images=3)
    batch = delivered(site)
    report, recipe = report_of(site, batch), site.ports.recipe
    assert report["archive"] == {
        "object_name": delivery_of(batch).object_name,
        "size_bytes": batch.archive_bytes,
        "crc32c": delivery_of(batch).crc32c,
    }
    assert report["files"] == {
        name: getattr(batch, name) for name in ("found", "delivered", "filtered", "in_review", "errored")
    }
    assert report["recipe"] == {"name": recipe.name, "sha256": recipe.sha256}
    assert recipe.profile is not None
    assert [m["value"] for m in report["profile"]["methods"]] == [code.value for code in recipe.profile.methods]
    assert report["software"] == f"sendit {sendit.__version__}"


def test_a_profile_from_which_the_recipe_departs_is_not_claimed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.set(STUDY_DEID="research,descriptions")
    site.study(1, images=1)
    batch = delivered(site)
    profile = report_of(site, batch)["profile"]
    assert (profile["methods"], profile["exceptions"][0]) == ([], "KEEP StudyDescription")
    assert "KEEP StudyDescription" in beside(site, batch, reporting.PAGE).read_text()


def test_it_counts_what_was_done_to_which_attribute(site: Site) -> None:
    site.study(1, images=3)
    report = report_of(site, delivered(site))
    counts = {(one["keyword"], one["action"]): one["count"] for one in report["attributes"] if len(one["place"]) == 11}
    assert counts["SOPInstanceUID", "REPLACE"] == counts["StudyDate", "JITTER"] == 3
    assert sum(report["actions"].values()) == sum(one["count"] for one in report["attributes"])
    assert report["verification"]["images_proven"] == 3
    searched_for = report["verification"]["identifiers_searched_for"]
    assert searched_for["name"] > 0
    assert searched_for.keys() <= VERIFIED  # a station's name, which is kept, is not claimed to be gone


def test_the_page_says_the_same_and_fetches_nothing(site: Site) -> None:
    site.study(1, images=2)
    batch = delivered(site)
    text = beside(site, batch, reporting.PAGE).read_text()

    class Words(HTMLParser):
        words: list[str] = []
        links: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.links += [value or "" for name, value in attrs if name in ("src", "href")]

        def handle_data(self, data: str) -> None:
            self.words.append(data.strip())

    page = Words()
    page.feed(text)
    report = report_of(site, batch)
    assert page.links == []
    for told in (delivery_of(batch).object_name, report["recipe"]["sha256"], "StudyDate", "113100 DCM"):
        assert told in page.words


def test_neither_form_identifies_anybody(site: Site) -> None:
    site.study(1, images=2)
    batch = delivered(site)
    for name in (reporting.JSON, reporting.PAGE):
        assert leaks_in(beside(site, batch, name).read_bytes()) == []


def test_a_second_run_makes_the_same_report(site: Site) -> None:
    site.study(1, images=2)
    [batch] = site.process()
    outbox = site.outbox / str(batch.pk)
    first = [(outbox / name).read_bytes() for name in (reporting.JSON, reporting.PAGE)]
    type(batch).objects.filter(pk=batch.pk).update(state="QUEUE")
    site.process()
    assert [(outbox / name).read_bytes() for name in (reporting.JSON, reporting.PAGE)] == first


def test_a_report_that_is_there_already_stays(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that died after its puts, by an older version: the archive is the same, its report is not."""
    site.study(1, images=1)
    [batch] = site.process()
    path = beside(site, batch, reporting.JSON)
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    [batch] = site.deliver()
    assert (batch.state, path.read_text()) == ("DONE", "{}")


def test_it_says_what_stands_in_for_a_blank_patient_id(site: Site) -> None:
    site.set(BLANK_PATIENT_ID="folder")
    site.study(1, images=2, PatientID="")
    batch = delivered(site)
    assert report_of(site, batch)["blank_patient_id"] == {"images": 2, "by": "folder"}
    assert "the folder&#x27;s name" in beside(site, batch, reporting.PAGE).read_text()


def test_it_says_nothing_of_patient_ids_where_all_images_have_one(site: Site) -> None:
    site.study(1, images=1)
    assert report_of(site, delivered(site))["blank_patient_id"] is None
