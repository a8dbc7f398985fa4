"""`query`: SQL over what was delivered."""

from __future__ import annotations

import csv
import io
import json
import sys

import pytest

from tests.support.shell import run
from tests.support.site import Site

QUESTION = "SELECT Modality, image_count, study_date, NULL AS nothing FROM dicom ORDER BY image_count"


@pytest.fixture
def delivered(site: Site) -> Site:
    for number in (1, 2):
        site.study(number, images=number)
    site.process()
    site.deliver()
    return site


def test_a_person_gets_a_table(delivered: Site) -> None:
    ran = run("query", QUESTION)
    header, rule, *rows, count = ran.lines
    assert header.split() == ["Modality", "image_count", "study_date", "nothing"]
    assert set(rule) == {"-"}
    assert [row.split()[:2] for row in rows] == [["CT", "1"], ["CT", "2"]]
    assert count == "(2 rows)"


def test_a_spreadsheet_gets_csv(delivered: Site) -> None:
    rows = list(csv.DictReader(io.StringIO(run("query", "--format", "csv", QUESTION).out)))
    assert [(row["Modality"], row["image_count"], row["nothing"]) for row in rows] == [("CT", "1", ""), ("CT", "2", "")]


def test_a_program_gets_json(delivered: Site) -> None:
    rows = json.loads(run("query", "--format", "json", QUESTION).out)
    assert [(row["image_count"], row["nothing"], len(row["study_date"])) for row in rows] == [
        (1, None, 10),
        (2, None, 10),
    ]


@pytest.mark.parametrize(("form", "nothing"), [("table", "(0 rows)"), ("csv", "batch"), ("json", "[]")])
def test_no_row_is_an_answer_too(site: Site, form: str, nothing: str) -> None:
    assert run("query", "--format", form, "SELECT batch FROM dicom").lines[-1] == nothing


def test_the_statement_may_come_on_standard_input(delivered: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT count(*) AS n FROM instance;\n"))
    assert json.loads(run("query", "-", "--format", "json").out) == [{"n": 3}]


@pytest.mark.parametrize(
    "sql", ["", "  \n", "nonsense", "SELECT * FROM nowhere", "DELETE FROM dicom", "SELECT 1; SELECT 2"]
)
def test_what_cannot_be_asked_is_wrong_use(delivered: Site, sql: str) -> None:
    ran = run("query", sql)
    assert (ran.code, ran.out) == (2, "")
    assert run("query", "SELECT count(*) FROM dicom", "--format", "csv").lines[1] == "2"
