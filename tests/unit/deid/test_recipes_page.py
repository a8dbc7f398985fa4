"""docs/recipes.md: its recipes are read, its examples do what it says, its tables name all that there is."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence

from sendit.deid import Deidentifier, Pseudonyms
from sendit.deid.recipe.filters import Criterion
from sendit.deid.recipe.recipe import DEID_FUNCTIONS, RecipeError, load_recipe, parse_recipe
from sendit.deid.recipe.rules import Action

PAGE = (Path(__file__).parents[3] / "docs" / "recipes.md").read_text()
RECIPES = re.findall(r"^```recipe\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
LISTS = "%fields names\nFIELD PatientName\n%values ids\nFIELD PatientID\n"
VARIABLES = {
    "entity_id": "E1",
    "reverse": lambda dicom, value, field, item: str(field.element.value)[::-1],
    "never": lambda dicom, value, field, item: False,
}


def _section(heading: str) -> str:
    return re.split(r"^#+ ", PAGE.split(f"\n### {heading}\n")[1], flags=re.MULTILINE)[0]


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _examples() -> list[tuple[str, str, str]]:
    """(rule, attribute, what becomes of it) of every row of the tables that have examples."""
    found = []
    for heading in ("Actions", "Fields", "Values"):
        for line in _section(heading).splitlines():
            cells = _cells(line) if line.startswith("| ") else []
            if len(cells) == 4 and cells[2].startswith("`"):
                attribute, _, outcome = cells[3].partition(": ")
                found.append((cells[2].strip("`"), attribute, outcome.strip("`")))
    return found


def image() -> bytes:
    """The image that the examples are of."""
    item = Dataset()
    item.PatientName, item.StudyID = "Doe^Jane", "S1"
    ds = FileDataset(None, {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    ds.SOPClassUID, ds.SOPInstanceUID, ds.StudyInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.4"
    ds.PatientName, ds.PatientID, ds.PatientAge, ds.PatientComments = "Doe^Jane", "4711", "093Y", "see 4711"
    ds.StudyDate, ds.StudyDescription, ds.RequestAttributesSequence = "20200131", "chest", Sequence([item])
    ds.ImageComments = "chest, Dr. Roe, 2020-01-31"
    ds.add_new(0x00330010, "LO", "MITRA")
    ds.add_new(0x0033101E, "LO", "secret")
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=False)
    return stream.getvalue()


def outcome_of(rule: str, attribute: str) -> str:
    """What the page says of an attribute after a rule."""
    recipe = parse_recipe(f"FORMAT dicom\n{LISTS}%header\n{rule}\n")
    done = Deidentifier(recipe, Pseudonyms(b"a key of the documentation"), VARIABLES).deidentify(image())
    ds: Dataset = dcmread(io.BytesIO(done.tobytes()))
    outer, _, inner = attribute.partition("__")
    if inner:
        ds, outer = ds[outer].value[0], inner
    key = int(outer.strip("()").replace(",", ""), 16) if outer.startswith("(") else outer
    return "absent" if key not in ds else str(ds[key].value or "nothing")


@pytest.mark.parametrize("text", RECIPES)
def test_a_recipe_of_the_page_is_read(text: str) -> None:
    recipe = parse_recipe(text)
    assert recipe.rules or recipe.filters
    assert recipe.warnings == ()


@pytest.mark.parametrize("text", RECIPES)
def test_a_recipe_of_the_page_goes_with_the_default(text: str, tmp_path: Path) -> None:
    path = tmp_path / "our.recipe"
    path.write_text(text)
    if "\nPROFILE" in text:
        with pytest.raises(RecipeError, match="PROFILE stands once"):
            load_recipe(f"research,{path}")
        return
    both = load_recipe(f"research,{path}")
    defaults = load_recipe("research").rules[:-4]  # the last say what was done, which depends on the others
    assert both.rules[: len(defaults)] == defaults


@pytest.mark.parametrize(("rule", "attribute", "outcome"), _examples())
def test_an_example_does_what_the_page_says(rule: str, attribute: str, outcome: str) -> None:
    wanted = re.escape(outcome).replace("…", "[0-9a-f.-]+")
    assert re.fullmatch(wanted, outcome_of(rule, attribute))


def test_every_example_that_does_something_would_fail_without_its_rule() -> None:
    idle = {rule for rule, attribute, outcome in _examples() if outcome_of("KEEP Rows", attribute) == outcome}
    assert idle == {"KEEP PatientID", "BLANK RequestAttributesSequence__PatientName", "REMOVE PatientID func:never"}


def test_the_tables_name_every_action_function_criterion_and_expander() -> None:
    rules = [rule for rule, _, _ in _examples()]
    assert {rule.split()[0] for rule in rules} == set(Action)
    assert set(re.findall(r"deid_func:(\w+)", " ".join(rules))) == set(DEID_FUNCTIONS)
    assert {word for word in Criterion if f"| `{word} ATTRIBUTE" in PAGE} == set(Criterion)
    fields = " ".join(rule.split()[1] for rule in rules)
    for expander in (
        "startswith:",
        "endswith:",
        "contains:",
        "except:",
        "select:VR:",
        "select:group:",
        "fields:",
        "values:",
    ):
        assert expander in fields


def test_the_rules_of_the_default_recipe_that_withhold_are_on_the_page() -> None:
    """Those of devices blank, and stand in a recipe of their own, which the page names."""
    page = " ".join(PAGE.split())
    of_devices = {label.text for rules in load_recipe("devices").filters for label in rules.labels}
    assert "INCLUDE devices" in page
    for rules in load_recipe("research").filters:
        for label in (one for one in rules.labels if one.text not in of_devices):
            name = label.text.removesuffix(", not declared free of burned-in text")
            assert name in page, name


def test_the_function_of_the_page_is_pythons() -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    compile(code, "docs/recipes.md", "exec")
