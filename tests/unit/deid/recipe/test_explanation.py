"""What is told of a recipe is what it does, and can be read."""

from __future__ import annotations

import json
import re

import pytest

from sendit.deid.recipe.explanation import explain
from sendit.deid.recipe.explanation_text import WIDTH, as_data, as_json, as_text
from sendit.deid.recipe.outcomes import TreatmentKind
from sendit.deid.recipe.recipe import load_recipe, parse_recipe
from sendit.deid.standard.profile_table import table

SHIPPED = ("basic", "research", "limited-dataset")


@pytest.fixture(scope="module", params=SHIPPED)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_row_of_the_table_is_told_once(name: str) -> None:
    text = as_text(explain(load_recipe(name)))
    for row in table().rows:
        lines = re.findall(rf"^      {re.escape(row.written_tag)}  {re.escape(row.name)}$", text, re.M)
        assert len(lines) == 1, row.name


def test_recipe_and_explanation_and_recipe_agree(name: str) -> None:
    told = as_data(explain(load_recipe(name)))
    again = as_data(explain(parse_recipe(load_recipe(name).text)))
    fates = [{key: value for key, value in one.items() if key != "why"} for one in told["attributes"]]
    assert fates == [{key: value for key, value in one.items() if key != "why"} for one in again["attributes"]]
    withheld = [one | {"passes_once_clean": False} for one in told["withheld"]]
    assert withheld == again["withheld"]  # a text that names no profile cleans no pixels, and so lets none pass
    assert told["sha256"] == again["sha256"]


def test_the_counts_are_those_of_the_lists(name: str) -> None:
    text = as_text(explain(load_recipe(name)))
    counts = {words: n for n, words in re.findall(r"^ +(\d+)  (.+)$", text.partition("2. Images")[0], re.M)}
    headings = {f"{words[0].lower()}{words[1:]}": n for words, n in re.findall(r"^(.+): (\d+)\n---", text, re.M)}
    assert counts == headings
    assert sum(map(int, headings.values())) == len(table().rows)


def test_no_line_is_too_wide_to_print(name: str) -> None:
    assert [line for line in as_text(explain(load_recipe(name))).splitlines() if len(line) > WIDTH] == []


@pytest.mark.parametrize(
    ("name", "tag", "words", "why"),
    [
        ("research", "(0010,0010)", "the patient's pseudonym", "Basic Profile: Z"),
        ("research", "(0008,0020)", "shifted by the patient's own number of days", "Modified Dates: C"),
        ("limited-dataset", "(0008,0020)", "stays as it is", "Full Dates: K"),
        ("basic", "(0008,0020)", "emptied", "Basic Profile: Z"),
        ("research", "(0010,1010)", "stays; of those above 89 years 090Y", "Retain Patient Characteristics: K"),
        ("research", "(0018,1000)", "removed", "Basic Profile: X/Z/D"),
        ("research", "(0018,1002)", "a keyed pseudonym", "Basic Profile: U"),
        ("limited-dataset", "(0018,1000)", "removed", "Basic Profile: X/Z/D"),
        ("research", "(0008,1030)", "cleaned, dates in it shifted", "Clean Descriptors: C"),
        ("limited-dataset", "(0008,1030)", "cleaned, dates in it as they are", "Clean Descriptors: C"),
        ("research", "(0016,002B)", "removed", "cannot be cleaned, so Basic Profile: X"),
        ("basic", "(0020,000D)", "a keyed pseudonym", "Basic Profile: U"),
        ("basic", "(0002,0003)", "File Meta Information is always written by sendit itself", "Basic Profile: U"),
        ("basic", "(gggg,eeee), gggg odd", "removed", "Basic Profile: X"),
    ],
)
def test_an_attribute_is_told_with_its_reason(name: str, tag: str, words: str, why: str) -> None:
    (entry,) = (one for one in as_data(explain(load_recipe(name)))["attributes"] if one["tag"] == tag)
    assert entry["words"].startswith(words)
    assert entry["why"].endswith(why)


def test_every_fate_is_told_in_a_sentence(name: str) -> None:
    text = " ".join(as_text(explain(load_recipe(name))).split())
    assert re.findall(r", it (?:removed|emptied|cleaned|shifted|the|a)\b", text) == []
    assert ("where it is of a Type not known, REMOVED if nothing is left." in text) == (name != "basic")


def test_what_cleaning_cannot_tell_is_said() -> None:
    limits = " ".join(explain(load_recipe("research")).limits())
    assert "a rare surname in capitals" in limits
    assert "a rare surname" not in " ".join(explain(load_recipe("basic")).limits())


def test_a_code_that_the_iod_decides_is_told_with_its_types() -> None:
    (entry,) = (one for one in explain(load_recipe("basic")).entries if one.row.name == "Acquisition DateTime")
    assert entry.outcome.fate is TreatmentKind.REMOVED
    assert {types: one.outcome.words for one in entry.unless for types in one.types} == {
        "1": "becomes 19000101000000",
        "1C": "becomes 19000101000000",
        "2": "emptied",
        "unknown": "becomes 19000101000000",
    }


OWN = """FORMAT dicom
INCLUDE screening
PROFILE Basic
%filter whitelist
LABEL ours
  equals ManufacturerModelName EPIQ 7G
%header
KEEP StudyDescription
REMOVE StudyTime
REPLACE SeriesDescription func:tidy
JITTER AcquisitionDate -3
REMOVE select:VR:LO func:mentions_a_ward
"""


def test_the_recipes_own_lines_are_told_and_those_that_depart_are_marked() -> None:
    told = explain(parse_recipe(OWN, "our.recipe"))
    text = as_text(told)
    assert re.search(r"our\.recipe:8  KEEP StudyDescription +<- departs from the profile", text)
    assert re.search(r"our\.recipe:9  REMOVE StudyTime$", text, re.M)
    assert "so its outputs do not claim the profile" in " ".join(text.split())
    by_name = {entry.row.name: entry for entry in told.entries}
    assert by_name["Study Description"].why == "our.recipe:8 KEEP StudyDescription"
    assert by_name["Series Description"].outcome.fate is TreatmentKind.CONDITIONAL
    assert by_name["Acquisition Date"].outcome.words == "shifted by -3"
    assert "goes on at once" in text


def test_a_recipe_without_a_profile_says_that_it_claims_none_and_what_it_leaves() -> None:
    told = explain(parse_recipe("FORMAT dicom\n%header\nBLANK PatientName\nADD PatientID var:own\n", "bare"))
    text = as_text(told)
    assert "Profile      none" in text
    assert "No filter: every image goes on" in text
    by_name = {entry.row.name: entry for entry in told.entries}
    assert (by_name["Patient's Birth Date"].outcome.fate, by_name["Patient's Birth Date"].why) == (
        TreatmentKind.KEPT,
        "no line of the recipe speaks of it",
    )
    assert by_name["Patient ID"].outcome.words == "becomes the variable own"


def test_programs_read_the_same() -> None:
    told = explain(load_recipe("research"))
    data = json.loads(as_json(told))
    assert data["profile"][0] == {"name": "Basic Profile", "code": "113100", "scheme": "DCM"}
    assert len(data["attributes"]) == len(table().rows)
    assert {one["fate"] for one in data["attributes"]} <= {fate.name.lower() for fate in TreatmentKind}
    cleaned = {one["rule"] for one in data["withheld"] if one["passes_once_clean"]}
    assert "burned-in annotation" in cleaned and "recognizable visual features" not in cleaned
    assert any("113101" in limit for limit in data["limits"])
