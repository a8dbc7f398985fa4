"""Risk: counted by hand for a few patients, from what was delivered alone, before and after a recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.shell import run
from tests.support.site import Site

PEOPLE = [("F", "050Y"), ("F", "050Y"), ("F", "050Y"), ("M", "050Y"), ("M", "061Y")]
"""Sex and age of five patients."""


@pytest.fixture
def five(site: Site) -> Site:
    """Five patients, delivered by a recipe that keeps sex and age."""
    recipe = site.var / "own"
    recipe.write_text("FORMAT dicom\nINCLUDE research\n%header\nKEEP PatientAge\nKEEP PatientSex\n")
    site.set(STUDY_DEID=recipe)
    for number, (sex, age) in enumerate(PEOPLE, 1):
        site.study(
            number, images=1, PatientSex=sex, PatientAge=age, BodyPartExamined="CHEST", StudyDate="20100704",
            ManufacturerModelName="X1",
        )  # fmt: skip
    assert [batch.errors for batch in site.process()] == [[]] * 5
    assert {batch.state for batch in site.deliver()} == {"DONE"}
    return site


def told(*options: str) -> dict[str, Any]:
    ran = run("risk", "--json", *options)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_cells_are_counted(five: Site) -> None:
    found = told("--k", "3", "--recipe", "descriptions")["delivered"]
    years = {cell["values"][4] for cell in found["smallest"]}
    assert found["patients"] == 5 and len(years) <= 3
    by_person = [(cell["patients"], *cell["values"][:2]) for cell in found["smallest"]]
    assert sum(patients for patients, *_ in by_person) == 5
    assert {(sex, age) for _, sex, age in by_person} == set(PEOPLE)
    assert found["k"] == min(patients for patients, *_ in by_person)
    assert found["unique"] == sum(patients for patients, *_ in by_person if patients == 1)
    assert found["below"] == sum(patients for patients, *_ in by_person if patients < 3)


def test_a_coarser_recipe_shows_what_it_would_bring(five: Site, tmp_path: Path) -> None:
    coarse = tmp_path / "coarse"
    coarse.write_text(
        "FORMAT dicom\nINCLUDE research\n%header\nBLANK PatientAge\nBLANK PatientSex\nBLANK StudyDate\n"
        "REPLACE BodyPartExamined TRUNK\n"
    )
    ran = told("--recipe", str(coarse))
    after = ran["proposed"]
    assert (after["patients"], after["k"], after["cells"], after["unique"]) == (5, 5, 1, 0)
    (cell,) = after["smallest"]
    assert cell["values"][:2] == ["", ""] and cell["values"][3:5] == ["TRUNK", ""]
    assert ran["delivered"]["cells"] > 1


def test_it_reads_well_and_names_nobody(five: Site) -> None:
    ran = run("risk", "--recipe", "basic", "--cells", "2")
    assert ran.code == 0 and "Project default: 5 patients." in ran.out
    assert "without PatientAge: k " in ran.out and "Smallest cells, with basic:" in ran.out
    assert "patients below 5" in ran.out


def test_nothing_delivered_is_no_risk(site: Site) -> None:
    assert told()["delivered"]["k"] == 0
    assert run("risk").out.startswith("Project default: 0 patients.")


def test_wrong_use_is_said(site: Site) -> None:
    assert run("risk", "--k", "0").code == run("risk", "--recipe", "nowhere").code == 2
    assert "UnknownProject" in run("risk", "--project", "nowhere").err
