"""`export`: OMOP, FHIR and an index of series, each read by what reads such things."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import duckdb
import pytest
from fhir.resources.R4B.imagingstudy import ImagingStudy

from sendit.pipeline.files.exports import studies
from tests.support.phantoms import leaks_in
from tests.support.shell import run
from tests.support.site import Site

OMOP_TABLE = """CREATE TABLE image_occurrence (
    image_occurrence_id BIGINT PRIMARY KEY, person_id INTEGER NOT NULL, procedure_occurrence_id INTEGER,
    visit_occurrence_id INTEGER, anatomic_site_concept_id INTEGER, wadors_uri VARCHAR, local_path VARCHAR,
    image_occurrence_date DATE NOT NULL, image_study_uid VARCHAR NOT NULL, image_series_uid VARCHAR NOT NULL,
    modality_concept_id INTEGER NOT NULL, person_source_value VARCHAR NOT NULL, anatomic_site_source_value VARCHAR,
    modality_source_value VARCHAR)"""


@pytest.fixture
def done(site: Site) -> Site:
    """Three studies, of which one has two series, one a late part, and one values that FHIR has no place for."""
    site.study(1, images=4, series=2)
    site.study(2, images=1, base="MR_small.dcm", SeriesNumber=-3, StudyDescription=None)
    site.study(3, images=2)
    site.process()
    site.deliver()
    site.study(3, images=3)
    site.process()
    site.deliver()
    return site


def exported(site: Site, form: str, *options: str) -> str:
    out = site.var.parent / f"out.{form}"
    done = run("export", form, str(out), *options)
    assert done.code == 0, done
    text = out.read_text()
    assert leaks_in(text) == [] and [path.name for path in out.parent.glob(".out*")] == []
    return text


def test_fhir_has_a_valid_resource_for_each_study(done: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "AT_A_TIME", 2)
    lines = [json.loads(line) for line in exported(done, "fhir", "--system", "urn:oid:1.2.3").splitlines()]
    for line in lines:
        ImagingStudy.model_validate(line)
    assert sorted((one["numberOfSeries"], one["numberOfInstances"]) for one in lines) == [(1, 1), (1, 3), (2, 4)]
    assert {one["identifier"][1]["system"] for one in lines} == {"urn:oid:1.2.3"}
    uids = {instance["uid"] for one in lines for series in one["series"] for instance in series["instance"]}
    assert len(uids) == 8 and len({one["id"] for one in lines}) == 3


def test_omop_can_be_loaded_into_its_table(done: Site) -> None:
    exported(done, "omop")
    database = duckdb.connect()
    database.execute(OMOP_TABLE)
    database.execute("COPY image_occurrence FROM '" + str(done.var.parent / "out.omop") + "' (HEADER)")
    found = database.execute(
        "SELECT modality_source_value, count(*), count(DISTINCT image_study_uid) FROM image_occurrence GROUP BY ALL"
    ).fetchall()
    assert sorted(found) == [("CT", 3, 2), ("MR", 1, 1)]
    assert exported(done, "omop") == exported(done, "omop")


def test_the_index_has_a_row_for_each_series(done: Site) -> None:
    header, *rows = csv.reader(exported(done, "index").splitlines())
    assert header[:4] == ["collection_id", "PatientID", "StudyInstanceUID", "SeriesInstanceUID"]
    counts = sorted(int(dict(zip(header, row, strict=True))["instanceCount"]) for row in rows)
    assert counts == [1, 2, 2, 3]


def test_nothing_is_replaced_where_the_file_cannot_be_written(done: Site, tmp_path: Path) -> None:
    failed = run("export", "index", str(tmp_path / "nowhere" / "file"))
    assert failed.code == 1 and "DiskRefused" in failed.err
    with pytest.raises(AssertionError):
        exported(done, "csv")
