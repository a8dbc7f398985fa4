"""Any text is a recipe or a RecipeError that names a place in it; never another error."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sendit.deid.recipe.addresses import Field
from sendit.deid.recipe.recipe import RecipeError, parse_recipe

WORDS = [
    "FORMAT", "dicom", "%header", "%filter", "%fields", "%values", "%labels", "ADD", "BLANK", "CLEAN", "JITTER",
    "KEEP", "REPLACE", "REMOVE", "FIELD", "SPLIT", "LABEL", "contains", "equals", "missing", "empty",
    "present", "coordinates", "keepcoordinates", "all", "ALL", "PatientID", "(0010,0010)", '(0033,"A B",01)',
    "select:VR:DA", "select:group:0010", "startswith:P", "fields:f", "values:v", "f", "v", "var:x", "func:y",
    "deid_func:jitter", "days=1", "by=^;minlength=2", "+", "||", "#", '"', "5", "0,0,1,1",
    "from:SequenceOfUltrasoundRegions", "A__0__B", "ReferencedSeriesSequence__0__Modality", "é", "%", "(",
    "\\", "\t",
]  # fmt: skip
LINES = [
    "FORMAT dicom",
    "%header",
    "%fields f",
    "FIELD PatientID",
    "%values v",
    "%filter f",
    "LABEL x",
    "missing Rows",
    "",
]

lines = st.sampled_from(LINES) | st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join) | st.text(max_size=12)
texts = st.lists(lines, max_size=8).map(lambda some: "\n".join(["FORMAT dicom", *some]))


@settings(max_examples=2000, deadline=None)
@given(texts)
def test_a_text_is_a_recipe_or_an_error_with_its_place(text: str) -> None:
    try:
        recipe = parse_recipe(text)
    except RecipeError as error:
        assert 1 <= error.line <= max(1, len(text.splitlines()))
        assert 1 <= error.column <= max(map(len, text.splitlines())) + 2
        assert error.reason
    else:
        recipe.decide(Field((), 0x00100020, "LO"))
        assert isinstance(recipe.additions, tuple)
