"""Every header action and field expander through PyPI's deid and through sendit, compared element by element.

Where the two differ, the difference must be one that docs/recipes.md lists: `DIFFERENCES` maps rows of its table to
what they explain. A difference that no row explains fails.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pydicom.data
import pytest
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR
from pydicom.multival import MultiValue

from sendit.deid import Deidentifier, Pseudonyms, read_header
from sendit.deid.recipe.recipe import Recipe, load_recipe, parse_recipe
from sendit.deid.recipe.rules import NEEDED_UIDS, PROTECTED
from sendit.deid.recipe.screen import screen
from sendit.errors import SenditError

with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
    warnings.simplefilter("ignore")
    from deid.config import DeidRecipe
    from deid.dicom.parser import DicomParser
    from deid.dicom.pixels.detect import has_burned_pixels

FILES = (
    "CT_small.dcm",  # explicit, private blocks with creators, a sequence
    "ExplVR_BigEnd.dcm",  # big endian, Group Lengths
    "rtplan.dcm",  # implicit, nested three deep
    "nested_priv_SQ.dcm",  # private sequences, nested
    "priv_SQ.dcm",  # a private sequence as UN
    "UN_sequence.dcm",  # a sequence as UN, of undefined length
    "chrSQEncoding.dcm",  # character sets within sequences
    "MR_small_implicit.dcm",  # implicit
    "JPEG2000.dcm",  # compressed, private dates
    "reportsi.dcm",  # nested content
)
FEWER = FILES[:-3]
"""For the product of actions and expanders, which is long."""
VARIABLES = {
    "text": "VAR",
    "days": 5,
    "entity_id": "E1",
    "item_id": "I1",
    "entity_timestamp": "19800101",
    "item_timestamp": "20100204",
    "is_name": lambda dicom, value, field, item: "Name" in field.name,
    "shout": lambda dicom, value, field, item: str(field.element.value).upper(),
}

BUNDLED = Path(pydicom.data.__file__).parent


def bundled(name: str) -> Path:
    """A file that the pydicom wheel brings along, one with a character set too; never the network."""
    (path,) = (path for folder in ("test_files", "charset_files") for path in (BUNDLED / folder).glob(name))
    return path


Place = tuple[str | int, ...]
Found = tuple[str, tuple[str, ...]]
"""An element's VR and its values as text."""


# ------------------------------------------------------------------------------------------------ the recipes compared

FIELDS = {
    "keyword": "PatientName",
    "tag": "(0008,0060)",
    "private form": '(0009,"GEMS_IDEN_01",02)',
    "nested path": "BeamSequence__BeamName",
    "numbered path": "(300A,00B0)__0__(300A,00C2)",
    "startswith": "startswith:Patient(N|I|B)",
    "endswith": "endswith:Name",
    "contains": "contains:StudyD|SeriesD|Institution",
    "contains a group": "contains:0019",
    "contains a private form": 'contains:(0009,"GEMS_IDEN_01",04)',
    "except": "except:Patient|UID|Sequence|Rows",
    "select VR": "select:VR:LO",
    "select group": "select:group:0010",
    "ALL": "ALL",
}
SPELLINGS = {
    "keyword in lower case": "patientname",
    "bare tag": "00100020",
    "bare private form": '0009,"GEMS_IDEN_01",04',
    "expander in upper case": "STARTSWITH:patient",
    "contains a nested path": "contains:BeamSequence__Beam",
    "contains a name": "contains:Transfer.Syntax|Beam.Name",
    "endswith a tag": "endswith:0010",
    "startswith a tag": "startswith:0018",
    "select group without zeros": "select:group:10",
    "select VR in lower case": "select:vr:lo",
}
LISTS = {
    "fields list": "%fields f\nFIELD contains:Patient\nFIELD StudyDate\nFIELD BeamSequence__BeamName\n",
    "values list": "%values v\nFIELD PatientID\nSPLIT PatientName by=^;minlength=4\n",
}


def _matrix() -> Iterator[tuple[str, str]]:
    for name, field in FIELDS.items():
        yield f"REMOVE {name}", f"REMOVE {field}"
        yield f"BLANK {name}", f"BLANK {field}"
        yield f"KEEP {name}", f"KEEP {field}\nREMOVE ALL"
        yield f"REPLACE {name}", f"REPLACE {field} 19990101\nREMOVE startswith:Patient"
    for name, field in SPELLINGS.items():
        yield f"BLANK {name}", f"BLANK {field}"
    for name, field in {**FIELDS, "select VR": "select:VR:DA", "endswith": "endswith:Date"}.items():
        yield f"JITTER {name}", f"JITTER {field} 5"


MATRIX = dict(_matrix())
RULES = {
    **MATRIX,
    "ADD what is absent": "ADD PatientIdentityRemoved YES",
    "ADD what is there": "ADD PatientID var:text",
    "ADD after REMOVE": "REMOVE PatientID\nADD PatientID var:text",
    "ADD, then BLANK": "ADD PatientID var:text\nBLANK PatientID",
    "ADD, then REMOVE": "ADD PatientIdentityRemoved YES\nREMOVE startswith:PatientI",
    "ADD to what is kept": "KEEP PatientID\nADD PatientID var:text\nREMOVE ALL",
    "ADD by a bare tag": "ADD 00100020 var:text",
    "KEEP a sequence": "KEEP BeamSequence\nBLANK ALL",
    "KEEP nested": "KEEP BeamSequence__BeamName\nBLANK BeamName",
    "KEEP by VR": "KEEP select:VR:DS\nREMOVE select:group:0018",
    "REPLACE holds REMOVE back": "REMOVE ALL\nREPLACE PatientName var:text",
    "REPLACE by VR holds REMOVE back": "REPLACE select:VR:SH a b\nREMOVE startswith:Study",
    "JITTER holds REMOVE back": "REMOVE ALL\nJITTER select:VR:DA var:days",
    "JITTER of DT": "JITTER select:VR:DT -400",
    "JITTER of TM": "JITTER StudyTime 5",
    "JITTER twice": "JITTER StudyDate 5\nJITTER endswith:Date -3",
    "REPLACE twice": "REPLACE select:VR:PN var:text\nREPLACE PatientName again",
    "REPLACE, then BLANK": "REPLACE PatientName again\nBLANK select:VR:PN",
    "REPLACE numbers": "REPLACE select:VR:US 7\nREPLACE select:VR:DS 5\nREPLACE select:VR:IS 3",
    "REPLACE a number with a word": "REPLACE Rows many",
    "REMOVE sequences": "REMOVE select:VR:SQ",
    "BLANK sequences": "BLANK select:VR:SQ",
    "REMOVE by function": "REMOVE ALL func:is_name",
    "REPLACE by function": "REPLACE PatientName func:shout",
    "jitter as a function": "REPLACE StudyDate deid_func:jitter days=3 years=1",
    "UIDs": "REPLACE select:VR:UI deid_func:pydicom_uuid",
    **{f"{action} fields list": f"{LISTS['fields list']}%header\n{action} fields:f" for action in ("REMOVE", "BLANK")},
    "REPLACE fields list": "%fields f\nFIELD startswith:PatientN\nFIELD BeamName\n%header\nREPLACE fields:f var:text",
    "KEEP fields list": f"{LISTS['fields list']}%header\nKEEP fields:f\nREMOVE ALL",
    "REPLACE fields list, REMOVE": "%fields f\nFIELD PatientID\n%header\nREMOVE ALL\nREPLACE fields:f var:text",
    **{f"{action} values list": f"{LISTS['values list']}%header\n{action} values:v" for action in ("REMOVE", "BLANK")},
    "REPLACE values list": "%values v\nFIELD PatientID\n%header\nREPLACE values:v 12\nREMOVE PatientID",
}  # fmt: skip


# ------------------------------------------------------------------------------------------------ known differences


@dataclass(frozen=True, slots=True)
class Case:
    """One element of one file under one recipe: what it was, what deid made of it, what sendit did. None is absent."""

    recipe: str
    place: Place
    original: Found | None
    theirs: Found | None
    ours: Found | None

    @property
    def tag(self) -> int:
        return int(str(self.place[-1]), 16)

    @property
    def untouched(self) -> bool:
        """Whether sendit left the element as it was."""
        return self.ours == self.original

    def blank(self) -> bool:
        """Whether sendit left the element without a value."""
        return self.ours is not None and self.ours[1] == ()


def _in_a_sequence_of_unknown_vr(case: Case) -> bool:
    """A private sequence that is written as UN."""
    return any(str(tag).startswith(("3F03", "4453")) for tag in case.place)


def _ambiguous(case: Case) -> bool:
    try:
        return dictionary_VR(case.tag) == "US or SS"
    except KeyError:
        return False


def _jittered(case: Case) -> bool:
    return "JITTER" in case.recipe or "jitter" in case.recipe


DIFFERENCES: dict[str, Callable[[Case], bool]] = {
    "attributes that say what the bytes are": lambda case: case.tag in PROTECTED and case.untouched,
    "REMOVE, BLANK or JITTER of a Type 1 UID": lambda case: (
        case.tag in NEEDED_UIDS and case.ours is not None and case.ours[1][0].startswith("2.25.")
    ),
    "an image without SOP Instance UID": lambda case: (
        case.place == ("00080018",) and case.original is None and case.ours is not None
    ),
    "Pixel Data that is no picture": lambda case: (
        case.tag == 0x7FE00010 and case.ours is not None and case.theirs == case.original is not None
        and len(case.ours[1][0]) < len(case.original[1][0])
    ),
    "a Private Creator": lambda case: bool(
        case.tag >> 16 & 1 and 0x10 <= case.tag & 0xFFFF <= 0xFF and (case.untouched or case.ours is None)
    ),
    "a sequence written as UN": _in_a_sequence_of_unknown_vr,
    "an attribute of VR US or SS in an implicit file": _ambiguous,
    "JITTER of a time of day": lambda case: (
        _jittered(case) and case.original is not None and case.original[0] == "TM" and case.untouched
    ),
    "JITTER of what is no date": lambda case: (
        _jittered(case) and case.blank() and case.theirs == case.original
    ),
    "REPLACE of a number with what is none of its VR": lambda case: (
        "REPLACE" in case.recipe and case.ours in [(vr, ()) for vr in ("US", "SS", "SL", "UL")]
    ),
    "`ADD ggggeeee`": lambda case: (
        "ADD 0010" in case.recipe and case.theirs is not None and case.ours is not None
        and case.theirs[1] == case.ours[1]
    ),
    "KEEP of a nested attribute": lambda case: (
        "KEEP BeamSequence__" in case.recipe and case.place[-1] == "300A00C2" and case.untouched
    ),
    "`KEEP fields:`": lambda case: "KEEP fields" in case.recipe and case.untouched,
    "`REPLACE fields:` and REMOVE": lambda case: "REPLACE fields" in case.recipe and case.ours == ("LO", ("VAR",)),
    "`values:` and sequences": lambda case: (
        "values:v" in case.recipe and case.theirs is None and case.original is not None
        and (case.original[0] == "SQ" or len(case.place) > 1)
    ) or ("values:v" in case.recipe and case.theirs == ("SQ", ("0",))),
    "REMOVE on a condition, and sequences": lambda case: (
        "func:is_name" in case.recipe and case.theirs is None and case.untouched
        and any(tag in case.place for tag in ("0040A043", "00081032"))
    ),
    "uuid functions": lambda case: (
        "pydicom_uuid" in case.recipe and case.ours is not None and case.ours[0] == "UI"
        and (case.untouched or all(value.startswith("2.25.") for value in case.ours[1]))
    ),
}  # fmt: skip
"""Row of the table in docs/recipes.md → whether it explains a difference."""

CRASHES = {
    "REMOVE or BLANK within a sequence that is gone": (
        "AttributeError",
        "'FileDataset' object has no attribute 'value'",
    ),
    "REPLACE of a sequence by an expander": ("TypeError", "Sequence contents must be 'Dataset' instances"),
    "JITTER of what is no date": ("TypeError", "bytes-like object"),
}
"""Row of the table → the error that deid ends with."""

REFUSED = {"REPLACE with what its VR does not allow": "NotEncodable"}
"""Row of the table → the code of the error that sendit ends with."""


# ------------------------------------------------------------------------------------------------ both, side by side


@cache
def original(name: str) -> dict[Place, Found]:
    """A file's elements as they are."""
    return elements(dcmread(bundled(name), force=True))


def elements(dataset: Dataset, place: Place = ()) -> dict[Place, Found]:
    """Every element by its place; Group Lengths and padding, which sendit drops, are left out."""
    found: dict[Place, Found] = {}
    for tag in list(dataset.keys()):
        if tag.element == 0 or tag == 0xFFFCFFFC:
            continue
        here = (*place, f"{int(tag):08X}")
        element = dataset[tag]
        if element.VR == "SQ":
            found[here] = ("SQ", (str(len(element.value or ())),))
            for number, item in enumerate(element.value or ()):
                found |= elements(item, (*here, number))
        else:
            found[here] = (str(element.VR), tuple(_texts(element.value)))
    return found


def _texts(value: Any) -> Iterator[str]:
    if value is None or value == "":
        return
    if isinstance(value, bytes):
        yield value.rstrip(b"\0 ").decode("latin-1")
    else:
        parts = value if isinstance(value, MultiValue | list) else str(value).split("\\")
        yield from (str(part).rstrip() for part in parts)


def deids(name: str, recipe: DeidRecipe) -> dict[Place, Found]:
    """What deid makes of a file."""
    parser = DicomParser(dcmread(bundled(name), force=True), recipe=recipe)
    for variable, value in VARIABLES.items():
        parser.define(variable, value)
    parser.parse()
    return elements(parser.dicom)


def sendits(name: str, recipe: Recipe) -> dict[Place, Found]:
    """What sendit makes of a file."""
    image = Deidentifier(recipe, Pseudonyms(b"a key of the conformance test"), VARIABLES).deidentify(bundled(name))
    return elements(dcmread(io.BytesIO(image.tobytes())))


def unexplained(name: str, text: str, recipe: Recipe, deid_recipe: DeidRecipe) -> list[str]:
    """The differences of one file under one recipe that no row explains."""
    ours: Mapping[Place, Found] | SenditError
    theirs: Mapping[Place, Found] | Exception
    try:
        ours = sendits(name, recipe)
    except SenditError as error:
        refused = error.code in REFUSED.values() and "REPLACE" in text
        return [] if refused else [f"{name}: sendit: {error}"]
    try:
        theirs = deids(name, deid_recipe)
    except (AttributeError, TypeError) as crash:
        known = any(type(crash).__name__ == kind and text in str(crash) for kind, text in CRASHES.values())
        return [] if known else [f"{name}: deid: {type(crash).__name__}: {crash}"]
    cases = (
        Case(text, place, original(name).get(place), theirs.get(place), ours.get(place))
        for place in sorted({*ours, *theirs}, key=str)
        if ours.get(place) != theirs.get(place)
    )
    return [
        f"{name} {case.place}: deid {case.theirs}, sendit {case.ours}"
        for case in cases
        if not any(explains(case) for explains in DIFFERENCES.values())
    ]


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("case", RULES)
def test_a_rule_does_what_deid_does(case: str, tmp_path: Path) -> None:
    rules = RULES[case]
    text = f"FORMAT dicom\n{rules}\n" if rules.startswith("%") else f"FORMAT dicom\n%header\n{rules}\n"
    path = tmp_path / "deid.dicom"
    path.write_text(text)
    recipe, deid_recipe = parse_recipe(text), DeidRecipe(str(path))
    files = FEWER if case in MATRIX else FILES
    assert [found for name in files for found in unexplained(name, text, recipe, deid_recipe)] == []


@cache
def both_of(name: str) -> tuple[Recipe, DeidRecipe]:
    """A recipe of the deid package, as sendit and as deid read it."""
    return load_recipe(name), DeidRecipe(name)


@pytest.mark.parametrize("name", FILES)
def test_deids_own_recipe_does_what_deid_does(name: str) -> None:
    recipe, deid_recipe = both_of("dicom")
    assert unexplained(name, recipe.text, recipe, deid_recipe) == []


# ------------------------------------------------------------------------------------------------ filters

SCREENED = (
    *FILES,
    "examples_palette.dcm",
    "SC_rgb_jpeg.dcm",
    "693_J2KI.dcm",
    "rtdose_1frame.dcm",
    "examples_overlay.dcm",
)


@pytest.mark.parametrize("recipe_name", ["dicom", "dicom.ultrasound", "dicom.xray.chest"])
@pytest.mark.parametrize("name", SCREENED)
def test_what_deid_flags_is_withheld_unless_whitelisted(name: str, recipe_name: str) -> None:
    recipe, deid_recipe = both_of(recipe_name)
    flagged = has_burned_pixels(str(bundled(name)), deid=deid_recipe)
    groups = {result["group"] for result in flagged["results"]}
    verdict = screen(read_header(bundled(name)), recipe)
    if "whitelist" in groups:
        assert verdict.passed
    elif groups:
        assert not verdict.passed
        assert verdict.group in groups
    elif not verdict.passed:  # deid joins all lines of a label with "and"
        assert re.search(r"\|\||or also", verdict.reason)


# ------------------------------------------------------------------------------------------------ the table


@pytest.mark.parametrize("row", sorted({*DIFFERENCES, *CRASHES, *REFUSED}))
def test_every_difference_is_a_row_of_the_table(row: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
    assert f"\n| {row} |" in page
