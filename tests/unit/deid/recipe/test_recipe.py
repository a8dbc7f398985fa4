"""The recipe language: what is read, what is refused and where, and how recipes are found and combined."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from sendit.deid.recipe.addresses import Field
from sendit.deid.recipe.filters import Region, RegionsFrom
from sendit.deid.recipe.recipe import DEID_FUNCTIONS, Recipe, RecipeError, find_recipe, load_recipe, parse_recipe
from sendit.deid.recipe.rules import Action, Value
from sendit.errors import Misconfigured

PATIENT_ID = Field((), 0x00100020, "LO")


def header(*lines: str) -> Recipe:
    return parse_recipe("\n".join(["FORMAT dicom", "%header", *lines]))


def value_of(line: str) -> Value | None:
    return header(line).rules[0].value


# ------------------------------------------------------------------------------------------------ what is read


@pytest.mark.parametrize("action", Action)
def test_every_action_is_read(action: Action) -> None:
    value = {"ADD": " x", "REPLACE": " x", "JITTER": " 5"}.get(action, "")
    (rule,) = header(f"{action} StudyDate{value}").rules
    assert (rule.action, rule.field, rule.line, rule.column, rule.file) == (action, "StudyDate", 3, 1, "<recipe>")


def test_actions_formats_sections_and_expanders_may_be_in_any_case() -> None:
    recipe = parse_recipe("format DICOM\n%Header\nremove CONTAINS:patient\n%FIELDS f\nfield all\n")
    assert recipe.decide(PATIENT_ID).steps[0].action is Action.REMOVE


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("REPLACE PatientID anonymous", Value("literal", "anonymous")),
        ("REPLACE PatientName O'Brien  the   third", Value("literal", "O'Brien  the   third")),
        ("REPLACE PatientID 12:30", Value("literal", "12:30")),
        ("REPLACE PatientID var:entity_id", Value("var", "entity_id")),
        ("REPLACE PatientID VAR:entity_id", Value("var", "entity_id")),
        ("REPLACE PatientID func:make", Value("func", "make")),
        (
            "REPLACE StudyDate deid_func:jitter days=-3 years=1",
            Value("deid_func", "jitter", (("days", "-3"), ("years", "1"))),
        ),
        (
            "REPLACE StudyInstanceUID deid_func:pydicom_uuid prefix=1.2.",
            Value("deid_func", "pydicom_uuid", (("prefix", "1.2."),)),
        ),
        ("JITTER StudyDate -31", Value("literal", "-31")),
        ("REMOVE PatientID func:is_name", Value("func", "is_name")),
        ("REMOVE PatientID", None),
    ],
)
def test_a_value_is_read_in_each_of_its_forms(text: str, value: Value | None) -> None:
    assert value_of(text) == value


@pytest.mark.parametrize("name", DEID_FUNCTIONS)
def test_every_deid_function_is_known_to_the_plan_too(name: str) -> None:
    from sendit.deid.recipe.deid_functions import DEID_FUNCTIONS as DEID_FUNCS

    assert name in DEID_FUNCS


def test_every_function_of_the_plan_may_stand_in_a_recipe() -> None:
    from sendit.deid.recipe.deid_functions import DEID_FUNCTIONS as DEID_FUNCS

    assert set(DEID_FUNCS) == set(DEID_FUNCTIONS)


@pytest.mark.parametrize(
    "line", ["REMOVE PatientID # because", "REMOVE PatientID#because", "  REMOVE   PatientID  ", "\tREMOVE\tPatientID"]
)
def test_a_comment_and_blanks_change_nothing(line: str) -> None:
    (rule,) = header("# a comment", "", line).rules
    assert str(rule) == "REMOVE PatientID"
    assert rule.value is None


def test_a_comment_ends_a_value() -> None:
    assert value_of("REPLACE PatientID var:entity_id   # the pseudonym") == Value("var", "entity_id")
    assert value_of("REPLACE PatientID a#b") == Value("literal", "a")
    assert value_of('REPLACE PatientID 5" # in "inches"') == Value("literal", '5"')


def test_a_number_sign_within_quotes_is_no_comment() -> None:
    (rule,) = header('KEEP (0033,"MITRA #1",1E)').rules
    assert rule.field == '(0033,"MITRA #1",1E)'


def test_a_rule_prints_as_its_line() -> None:
    lines = [
        "REPLACE PatientID var:entity_id",
        "REPLACE StudyDate deid_func:jitter days=3 years=1",
        "REMOVE ALL values:names",
        "REMOVE values:names",
        "JITTER select:VR:DA 5",
    ]
    recipe = parse_recipe("\n".join(["FORMAT dicom", "%values names", "FIELD PatientName", "%header", *lines]))
    assert [str(rule) for rule in recipe.rules] == lines


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "windows.recipe"
    path.write_bytes(b"\xef\xbb\xbfFORMAT dicom\r\n%header\r\nREMOVE PatientID\r\n")
    assert [rule.field for rule in load_recipe(path).rules] == ["PatientID"]


def test_labels_are_kept() -> None:
    recipe = parse_recipe("FORMAT dicom\n%labels\nADD MAINTAINER someone@example.org\nADD VERSION 1.0 # of many\n")
    assert recipe.labels == (("MAINTAINER", "someone@example.org"), ("VERSION", "1.0"))


def test_sections_of_one_name_are_one() -> None:
    recipe = parse_recipe(
        "FORMAT dicom\n%fields f\nFIELD PatientID\n%header\nREMOVE fields:f\n%fields f\nFIELD StudyID\n"
        "%filter a\nLABEL one\nmissing Rows\n%filter b\nLABEL two\nmissing Rows\n%filter a\nLABEL three\nmissing Rows\n"
    )
    assert recipe.fields_lists == {"f": ("PatientID", "StudyID")}
    assert [(rules.name, [label.text for label in rules.labels]) for rules in recipe.filters] == [
        ("a", ["one", "three"]),
        ("b", ["two"]),
    ]


def test_split_takes_its_options() -> None:
    text = "FORMAT dicom\n%values v\nFIELD PatientID\nSPLIT PatientName by=^;minlength=4\n"
    text += "SPLIT PatientName splitval='^'; minlength='3' # deid's manual writes it so\nSPLIT PatientName\n"
    sources = parse_recipe(text).values_lists["v"]
    assert [(source.by, source.minlength) for source in sources] == [(None, 1), ("^", 4), ("^", 3), (" ", 1)]


def test_a_split_by_a_blank_is_written_in_quotes() -> None:
    (source,) = parse_recipe('FORMAT dicom\n%values v\nSPLIT PatientName by=" ";minlength=2\n').values_lists["v"]
    assert (source.by, source.minlength) == (" ", 2)


def test_a_recipe_travels_between_processes() -> None:
    recipe = load_recipe("research")
    twin = pickle.loads(pickle.dumps(recipe))
    assert twin == recipe
    assert twin.decide(PATIENT_ID) == recipe.decide(PATIENT_ID)


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        header("REMOVE PatientID").name = "other"  # type: ignore[misc]


# ------------------------------------------------------------------------------------------------ what is refused

REFUSED_IN_HEADER = [
    ("PatientID REMOVE", 1, "PatientID is no action"),
    ("REMOV PatientID", 1, "did you mean REMOVE?"),
    ("LABEL x", 1, "no action"),
    ("ADDED PatientID x", 1, "no action"),
    ("REMOVE", 7, "REMOVE needs a field"),
    ("REMOVE # PatientID", 7, "REMOVE needs a field"),
    ("REPLACE PatientID", 18, "REPLACE needs a value"),
    ("REPLACE PatientID # soon", 18, "REPLACE needs a value"),
    ("ADD PatientID", 14, "ADD needs a value"),
    ("JITTER StudyDate", 17, "JITTER needs a value"),
    ("JITTER StudyDate soon", 18, "whole number of days"),
    ("JITTER StudyDate 1.5", 18, "whole number of days"),
    ("JITTER StudyDate deid_func:jitter", 18, "whole number of days"),
    ("BLANK PatientID x", 17, "BLANK takes no more"),
    ("KEEP PatientID x", 16, "KEEP takes no more"),
    ("REMOVE PatientID x", 18, "func: or values:"),
    ("REMOVE PatientID var:x", 18, "func: or values:"),
    (r"REMOVE ALL contains:(\d{7})", 12, "func: or values:"),
    ("REPLACE PatientID var:", 23, "goes on with a name"),
    ("REPLACE PatientID func:f x", 26, "takes a name and nothing else"),
    ("REPLACE PatientID var:a b", 25, "takes a name and nothing else"),
    ("REPLACE PatientID deid_func:simple_uuid", 29, "there is no deid_func:simple_uuid, only cap_age, jitter"),
    ("REPLACE StudyDate deid_func:jitter days=x", 36, "takes days=, years="),
    ("REPLACE StudyDate deid_func:jitter weeks=1", 36, "takes days=, years="),
    ("REPLACE PatientID deid_func:basic_uuid x=1", 40, "takes no options"),
    ("REPLACE PatientID deid_func:pydicom_uuid stable_remapping=false", 42, "takes prefix="),
    # fields
    ("REMOVE PatientsName", 8, "did you mean PatientName?"),
    ("REMOVE Patient-ID", 8, "no keyword, tag or expander"),
    ("REMOVE (0010,020)", 8, "no keyword, tag or expander"),
    ("REMOVE (0010, 0020)", 8, "no keyword, tag or expander"),
    ('REMOVE (0010,"X",20)', 8, "a private group is odd"),
    ('REMOVE (0033,"MITRA,1E)', 14, "a quotation mark is not closed"),
    ('REMOVE "Patients Name"', 8, "did you mean Patient's Name?"),
    ("REMOVE startwith:Patient", 8, "did you mean startswith?"),
    ("REMOVE contains:", 17, "found in everything"),
    ("REMOVE contains:a||b", 17, "found in everything"),
    ("REMOVE startswith:(0010", 19, "not a regular expression"),
    ("REMOVE select:VR:XX", 18, "XX is no VR"),
    ("REMOVE select:group:ten", 21, "four hexadecimal digits"),
    ("REMOVE select:private:maybe", 15, "select: goes on with"),
    ("REMOVE select:name:x", 15, "select: goes on with"),
    ("REMOVE (0000,0100)", 8, "no dataset holds this element"),
    ("REMOVE PatientName__PatientID", 8, "PatientName is not a sequence"),
    ("REMOVE RequestAttributesSequence__PatientsName", 35, "did you mean PatientName?"),
    ("REMOVE 0__PatientID", 8, "an item number follows"),
    ('REMOVE (0033,"X",10)__PatientID', 8, "named by its keyword or tag"),
    # what may be done to what
    ("REPLACE RequestAttributesSequence x", 9, "is a sequence"),
    ("JITTER RequestAttributesSequence 5", 8, "is a sequence"),
    ("ADD RequestAttributesSequence x", 5, "is a sequence"),
    ("REMOVE PixelData", 8, "no rule changes it"),
    ("REPLACE SOPClassUID 1.2", 9, "no rule changes it"),
    ("REPLACE SpecificCharacterSet ISO_IR_192", 9, "no rule changes it"),
    ("ADD contains:Patient x", 5, "ADD names one public attribute"),
    ("ADD ALL x", 5, "ADD names one public attribute"),
    ("ADD fields:f x", 5, "ADD names one public attribute"),
    ("ADD 00331010 x", 5, "ADD names one public attribute"),
    ('ADD (0033,"MITRA",10) x', 5, "ADD names one public attribute"),
    ("ADD OverlayData x", 5, "ADD names one public attribute"),
    ("ADD RequestAttributesSequence__StudyID x", 5, "ADD says which item"),
    ("ADD values:v x", 5, "cannot be of a values: list"),
    ("KEEP values:v", 6, "cannot be of a values: list"),
    ("REMOVE values:v values:w", 17, "one values: list is enough"),
    ("REMOVE values:", 8, "the list's name is missing"),
    ("REMOVE fields:none", 1, "there is no %fields none"),
    ("REMOVE values:none", 1, "there is no %values none"),
    ("REMOVE ALL values:none", 1, "there is no %values none"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "column", "reason"), REFUSED_IN_HEADER)
def test_a_line_of_the_header_is_refused_where_it_is_wrong(line: str, column: int, reason: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(f"FORMAT dicom\n%header\n\n{line}\n", file="my.recipe")
    error = caught.value
    assert reason in error.reason
    assert (error.file, error.line, error.column) == ("my.recipe", 4, column)
    assert f"my.recipe:4:{column}: " in str(error)


REFUSED = [
    ("", 1, 1, "begins with FORMAT dicom"),
    ("# only a comment\n", 1, 1, "begins with FORMAT dicom"),
    ("%header\nREMOVE PatientID\n", 1, 1, "FORMAT dicom is expected"),
    ("REMOVE PatientID\n", 1, 1, "FORMAT dicom is expected"),
    ("FORMAT nifti\n", 1, 8, "the one format is dicom"),
    ("FORMAT\n", 1, 7, "the one format is dicom"),
    ("FORMAT dicom please\n", 1, 14, "takes no more"),
    ("FORMAT dicom\nFORMAT dicom\n", 2, 1, "FORMAT stands once"),
    ("FORMAT dicom\nREMOVE PatientID\n", 2, 1, "a section (%header, %filter ...) is expected"),
    ("FORMAT dicom\n%heder\n", 2, 1, "did you mean %header?"),
    ("FORMAT dicom\n%pixels\n", 2, 1, "there is no section %pixels"),
    ("FORMAT dicom\n%header main\n", 2, 9, "takes no more"),
    ("FORMAT dicom\n%fields\nFIELD PatientID\n", 2, 8, "%fields needs a name"),
    ("FORMAT dicom\n%filter # which\n", 2, 8, "%filter needs a name"),
    ("FORMAT dicom\n%values\n", 2, 8, "%values needs a name"),
    ("FORMAT dicom\n%fields f\nREMOVE PatientID\n", 3, 1, "made of FIELD lines"),
    ("FORMAT dicom\n%fields f\nSPLIT PatientID\n", 3, 1, "made of FIELD lines"),
    ("FORMAT dicom\n%fields f\nFIELD\n", 3, 6, "FIELD needs a field"),
    ("FORMAT dicom\n%fields f\nFIELD PatientID x\n", 3, 17, "FIELD takes no more"),
    ("FORMAT dicom\n%fields f\nFIELD fields:g\n", 3, 7, "not made of lists"),
    ("FORMAT dicom\n%fields f\nFIELD PatientsID\n", 3, 7, "did you mean PatientID?"),
    ("FORMAT dicom\n%fields f\nFIELD StudyID\n%header\nREMOVE fields:g\n", 5, 1, "there is no %fields g"),
    ("FORMAT dicom\n%fields f\nFIELD DeviceSequence\n%header\nREPLACE fields:f x\n", 5, 1, "is a sequence"),
    ("FORMAT dicom\n%values v\nREMOVE PatientID\n", 3, 1, "made of FIELD and SPLIT"),
    ("FORMAT dicom\n%values v\nFIELD PatientID by=^\n", 3, 17, "FIELD takes no more"),
    ("FORMAT dicom\n%values v\nSPLIT PatientID by\n", 3, 17, "by=<text> and minlength="),
    ("FORMAT dicom\n%values v\nSPLIT PatientID minlength=0\n", 3, 17, "by=<text> and minlength="),
    ("FORMAT dicom\n%values v\nSPLIT PatientID by=^;minlen=4\n", 3, 22, "by=<text> and minlength="),
    ("FORMAT dicom\n%labels\nMAINTAINER me\n", 3, 1, "no action"),
    ("FORMAT dicom\n%filter f\nmissing Rows\n", 3, 1, "a LABEL is expected"),
    ("FORMAT dicom\n%filter f\nLABEL\n", 3, 6, "LABEL needs a text"),
    ("FORMAT dicom\n%filter f\nLABEL # nothing\n", 3, 6, "LABEL needs a text"),
    ("FORMAT dicom\n%filter f\nLABEL x\n\nLABEL y\nmissing Rows\n", 3, 1, "no criteria"),
    ("FORMAT dicom\n%filter f\nLABEL x\n%header\n", 3, 1, "no criteria"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "column", "reason"), REFUSED)
def test_a_recipe_is_refused_where_it_is_wrong(text: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text)
    assert reason in caught.value.reason
    assert (caught.value.line, caught.value.column) == (line, column)


REFUSED_IN_FILTERS = [
    ("contans Modality CT", 1, "did you mean contains?"),
    ("  contains Modality", 20, "contains takes a value"),
    ("contains", 9, "contains asks for an attribute"),
    ("missing Modality CT", 20, "missing takes no value"),
    ("+", 2, "a criterion is missing"),
    ("missing Rows || missing", 24, "missing asks for an attribute"),
    ("contains Modalty CT", 10, "did you mean Modality?"),
    ("contains RequestAttributesSequence x", 10, "is a sequence"),
    ("contains RequestAttributesSequence__StudyID x", 10, "by its keyword or tag"),
    ("contains Modality CT || contain ImageType x", 19, "no criterion follows ||"),
    ("contains Modality CT + contain ImageType x", 19, "no criterion follows +"),
    ("contains ImageType (", 20, "not a regular expression"),
    ("contains ImageType a|", 20, "found in everything"),
    ("coordinates 0,0,512", 13, "four whole numbers"),
    ("coordinates", 12, "four whole numbers"),
    ("keepcoordinates 0,0,a,b", 17, "four whole numbers"),
    ("ctpcoordinates from:SequenceOfUltrasoundRegions", 16, "four whole numbers"),
    ("coordinates from:Rows", 18, "Rows is not a sequence"),
    ("coordinates from:RowSequence", 18, "the dictionary has no attribute RowSequence"),
]


@pytest.mark.parametrize(("line", "column", "reason"), REFUSED_IN_FILTERS)
def test_a_criterion_is_refused_where_it_is_wrong(line: str, column: int, reason: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(f"FORMAT dicom\n%filter f\nLABEL x\n{line}\n")
    assert reason in caught.value.reason
    assert (caught.value.line, caught.value.column) == (4, column)


def test_a_whitelist_says_how_its_lines_are_joined() -> None:
    text = "FORMAT dicom\n%filter {}\nLABEL x\ncontains Modality CT\ncontains Manufacturer GE\n"
    assert parse_recipe(text.format("blacklist")).filters
    with pytest.raises(RecipeError, match="in a whitelist, say whether"):
        parse_recipe(text.format("Whitelist"))


def test_a_rule_for_the_file_meta_does_nothing_and_says_so() -> None:
    recipe = header("REPLACE MediaStorageSOPInstanceUID deid_func:pydicom_uuid", "KEEP (0002,0016)", "REMOVE PatientID")
    assert [str(rule) for rule in recipe.rules] == ["REMOVE PatientID"]
    assert [warning.split(": ")[0] for warning in recipe.warnings] == ["<recipe>:3:9", "<recipe>:4:6"]


def test_a_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.recipe"
    path.write_bytes(b"FORMAT dicom\n# M\xfcller\n")
    with pytest.raises(RecipeError, match="not UTF-8") as caught:
        load_recipe(path)
    assert caught.value.line == 2


def test_a_recipe_error_is_the_operators_and_travels() -> None:
    error = RecipeError("a.recipe", 3, 7, "no such thing")
    assert isinstance(error, Misconfigured)
    assert error.code == "BadRecipe"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


# ------------------------------------------------------------------------------------------------ filters, as read


def test_a_filter_is_read_with_its_labels_checks_and_coordinates() -> None:
    (rules,) = parse_recipe(
        "FORMAT dicom\n%filter graylist\n"
        "LABEL Dose Report # (someone)\n"
        "  contains Modality CT  # only these\n"
        "  + contains ImageType SCREEN SAVE || contains SeriesDescription Dose\n"
        "  || missing 0x00080060\n"
        "  coordinates 0,0,512,110\n"
        "  ctpcoordinates 10,20,30,40\n"
        "  keepcoordinates all\n"
        "  keepcoordinates from:SequenceOfUltrasoundRegions\n"
    ).filters
    (label,) = rules.labels
    assert (rules.name, label.text, label.line) == ("graylist", "Dose Report", 3)
    assert [check.operator for check in label.checks] == ["", "+", "||"]
    assert str(label) == ("contains Modality + contains ImageType || contains SeriesDescription || missing 0x00080060")
    assert label.regions == (
        Region(False, (0, 0, 512, 110)),
        Region(False, (10, 20, 40, 60)),
        Region(True, None),
        RegionsFrom(True, 0x00186011),
    )


def test_a_plus_at_the_end_of_a_value_is_of_the_value() -> None:
    (rules,) = parse_recipe(
        "FORMAT dicom\n%filter f\nLABEL x\ncontains ManufacturerModelName AS+\n+ equals Rows 512\n"
    ).filters
    patterns = [question.pattern for check in rules.labels[0].checks for question in check.questions]
    assert patterns[0] is not None
    assert patterns[0].pattern == "AS+"


# ------------------------------------------------------------------------------------------------ finding, combining


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in Path(find_recipe.__code__.co_filename).parent.glob("recipes/*.recipe"))
)
def test_every_shipped_recipe_is_found_by_name_and_has_no_warning(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.warnings == ()


def test_a_recipe_is_known_by_the_hash_of_its_text(tmp_path: Path) -> None:
    text = "FORMAT dicom\n%header\nREMOVE PatientID\n"
    path = tmp_path / "mine.recipe"
    path.write_text(text)
    recipe = load_recipe(str(path))
    assert (recipe.name, recipe.text) == (str(path), text)
    assert recipe.sha256 == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("name", "rules", "labels", "warned"),
    [
        ("dicom", 71, {"whitelist": 2, "graylist": 109, "blacklist": 7}, ["Manfacturer", "PatientsName", "jitter"]),
        ("dicom.ultrasound", 71, {"whitelist": 1, "graylist": 2}, ["PatientsName", "jitter"]),
        ("dicom.xray.chest", 0, {"whitelist": 2, "blacklist": 2}, []),
    ],
)
def test_the_recipes_of_deid_are_found_by_its_names(
    name: str, rules: int, labels: dict[str, int], warned: list[str]
) -> None:
    recipe = load_recipe(name)
    assert len(recipe.rules) == rules
    assert {rules.name: len(rules.labels) for rules in recipe.filters} == labels
    assert all(any(word in warning for warning in recipe.warnings) for word in warned)
    assert bool(recipe.warnings) == bool(warned)


def test_deid_is_not_imported_for_its_recipes() -> None:
    code = "import sys; from sendit.deid import load_recipe; load_recipe('dicom'); print('deid' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


def test_without_deid_its_names_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Misconfigured, match="install the deid package") as caught:
        load_recipe("dicom.ultrasound")
    assert caught.value.code == "UnknownRecipe"


@pytest.mark.parametrize("name", ["nonesuch", "dicom.nonesuch", "/no/such/file.recipe", "", "research,nonesuch"])
def test_an_unknown_recipe_is_said_to_be_unknown(name: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        load_recipe(name)
    assert caught.value.code == "UnknownRecipe"


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        load_recipe(tmp_path)
    assert caught.value.code == "UnknownRecipe"


def test_several_recipes_are_one_after_the_other(tmp_path: Path) -> None:
    mine = tmp_path / "mine.recipe"
    mine.write_text(
        "FORMAT dicom\n%filter whitelist\nLABEL mine\nequals Modality XA\n%fields f\nFIELD StudyID\n"
        "%header\nKEEP SeriesDescription\nREMOVE fields:f\n"
    )
    both = load_recipe(f"dicom, {mine}")
    dicom, alone = load_recipe("dicom"), load_recipe(mine)
    assert both.name == f"dicom,{mine}"
    assert both.rules == dicom.rules + alone.rules
    assert [rules.name for rules in both.filters] == ["whitelist", "graylist", "blacklist"]
    assert [label.text for label in both.filters[0].labels][-1] == "mine"
    assert both.fields_lists == {"f": ("StudyID",)}
    assert both.sha256 != dicom.sha256


def test_an_unknown_attribute_is_only_let_pass_in_deids_own_recipes(tmp_path: Path) -> None:
    mine = tmp_path / "mine.recipe"
    mine.write_text("FORMAT dicom\n%header\nREMOVE PatientsName\n")
    with pytest.raises(RecipeError, match="did you mean PatientName"):
        load_recipe(f"dicom,{mine}")
