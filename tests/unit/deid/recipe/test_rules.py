"""Which rules befall an element: selection, precedence, order, and what no rule may do."""

from __future__ import annotations

import pytest

from sendit.deid.recipe.addresses import Field
from sendit.deid.recipe.recipe import Recipe, load_recipe, parse_recipe
from sendit.deid.recipe.rules import PSEUDONYM, Action, Decision

REQUEST, OTHER_IDS = 0x00400275, 0x00101002
PATIENT_NAME, PATIENT_ID, STUDY_DATE, STUDY_TIME = 0x00100010, 0x00100020, 0x00080020, 0x00080030

NAME = Field((), PATIENT_NAME, "PN")
ID = Field((), PATIENT_ID, "LO")
DATE = Field((), STUDY_DATE, "DA")
TIME = Field((), STUDY_TIME, "TM")
SEQUENCE = Field((), REQUEST, "SQ")
NESTED_NAME = Field((REQUEST,), PATIENT_NAME, "PN")
NESTED_DATE = Field((REQUEST,), STUDY_DATE, "DA")
PRIVATE = Field((), 0x0033101E, "LO", "MITRA OBJECT 1.0")
PRIVATE_DATE = Field((), 0x0033101F, "DA", "MITRA OBJECT 1.0")
CREATOR = Field((), 0x00330010, "LO")
UNKNOWN = Field((), 0x00090012, "UN")
ROWS = Field((), 0x00280010, "US")
EVERY = [NAME, ID, DATE, TIME, SEQUENCE, NESTED_NAME, NESTED_DATE, PRIVATE, PRIVATE_DATE, CREATOR, ROWS]


def recipe(*lines: str) -> Recipe:
    sections = any(line.startswith("%") for line in lines)
    return parse_recipe("\n".join(["FORMAT dicom", *([] if sections else ["%header"]), *lines]))


def steps(decision: Decision) -> list[str]:
    return [str(step.rule) for step in decision.steps]


def selected(field: str) -> list[Field]:
    """Which of EVERY a FIELD selects."""
    rules = recipe(f"BLANK {field}")
    return [address for address in EVERY if rules.decide(address).steps]


# ------------------------------------------------------------------------------------------------ selection


@pytest.mark.parametrize("field", ["PatientName", "patientname", "(0010,0010)", "00100010", '"Patient\'s Name"'])
def test_a_name_or_tag_selects_at_every_depth(field: str) -> None:
    assert selected(field) == [NAME, NESTED_NAME]


@pytest.mark.parametrize(
    "field",
    [
        "RequestAttributesSequence__PatientName",
        "requestattributessequence__patientname",
        "(0040,0275)__(0010,0010)",
        "00400275__PatientName",
    ],
)
def test_a_path_selects_one_place(field: str) -> None:
    assert selected(field) == [NESTED_NAME]


def test_a_path_with_a_number_selects_one_item() -> None:
    rules = recipe("BLANK (0040,0275)__1__(0010,0010)")
    assert rules.uses_indices
    found = [rules.decide(Field((REQUEST,), PATIENT_NAME, "PN", indices=(index,))).steps for index in range(3)]
    assert [bool(item) for item in found] == [False, True, False]


def test_a_path_may_number_some_of_its_sequences() -> None:
    rules = recipe("BLANK RequestAttributesSequence__OtherPatientIDsSequence__2__PatientID")
    place = Field((REQUEST, OTHER_IDS), PATIENT_ID, "LO", indices=(7, 2))
    assert rules.decide(place).steps
    assert not rules.decide(Field((REQUEST, OTHER_IDS), PATIENT_ID, "LO", indices=(2, 7))).steps


def test_an_address_without_indices_is_in_no_numbered_item() -> None:
    assert not recipe("BLANK (0040,0275)__0__(0010,0010)").decide(NESTED_NAME).steps


@pytest.mark.parametrize(
    "field",
    ['(0033,"MITRA OBJECT 1.0",1E)', '0033,"mitra object 1.0",1e', "(0033,101E)", "0033101E"],
)
def test_a_private_element_is_selected_by_creator_or_tag(field: str) -> None:
    assert selected(field) == [PRIVATE]


def test_a_private_form_selects_in_any_block() -> None:
    rules = recipe('BLANK (0033,"MITRA OBJECT 1.0",1E)')
    assert rules.decide(Field((), 0x0033171E, "LO", "MITRA OBJECT 1.0")).steps
    assert not rules.decide(Field((), 0x0033101E, "LO", "OTHER")).steps
    assert not rules.decide(Field((), 0x0033101E, "LO", None)).steps


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("ALL", EVERY),
        ("allfields", EVERY),
        ("startswith:Patient", [NAME, ID, NESTED_NAME]),
        ("STARTSWITH:patient", [NAME, ID, NESTED_NAME]),
        ("startswith:Request", [SEQUENCE, NESTED_NAME, NESTED_DATE]),
        ("endswith:Date", [DATE, NESTED_DATE]),
        ("endswith:Sequence__StudyDate", [NESTED_DATE]),
        ("contains:Attributes", [SEQUENCE, NESTED_NAME, NESTED_DATE]),
        ("contains:Patient's", [NAME, NESTED_NAME]),
        ("contains:Patient|Date", [NAME, ID, DATE, NESTED_NAME, NESTED_DATE]),
        ("contains:^PatientN.*e$", [NAME, NESTED_NAME]),
        ("contains:0010,00", [NAME, ID, NESTED_NAME]),
        ("startswith:0033", [PRIVATE, PRIVATE_DATE, CREATOR]),
        ('contains:(0033,"MITRA OBJECT 1.0",1E)', [PRIVATE]),
        ('endswith:"MITRA OBJECT 1.0",1[EF]', [PRIVATE, PRIVATE_DATE]),
        ("contains:^Private", [PRIVATE, PRIVATE_DATE, CREATOR]),
        ("except:Patient|Request|Private", [DATE, TIME, ROWS]),
        ("allexcept:Patient|Request|Private", [DATE, TIME, ROWS]),
        ("select:VR:DA", [DATE, NESTED_DATE, PRIVATE_DATE]),
        ("select:vr:da", [DATE, NESTED_DATE, PRIVATE_DATE]),
        ("select:group:0010", [NAME, ID, NESTED_NAME]),
        ("select:group:0x33", [PRIVATE, PRIVATE_DATE, CREATOR]),
        ("select:private:yes", [PRIVATE, PRIVATE_DATE, CREATOR]),
        ("select:private:no", [NAME, ID, DATE, TIME, SEQUENCE, NESTED_NAME, NESTED_DATE, ROWS]),
    ],
)
def test_an_expander_selects(field: str, expected: list[Field]) -> None:
    assert selected(field) == expected


def test_a_class_of_characters_in_upper_case_keeps_its_meaning() -> None:
    assert selected(r"contains:^\D+Date$") == [DATE, NESTED_DATE]


def test_a_repeating_groups_keyword_selects_each_of_its_groups() -> None:
    rules = recipe("BLANK OverlayComments")
    assert all(rules.decide(Field((), 0x60004000 | low << 16, "LT")).steps for low in range(0, 0x20, 2))


def test_a_fields_list_selects_what_its_lines_select() -> None:
    rules = recipe(
        "%fields f", "FIELD PatientID", "FIELD endswith:Date", "FIELD RequestAttributesSequence__PatientName",
        "%header", "BLANK fields:f",
    )  # fmt: skip
    assert [address for address in EVERY if rules.decide(address).steps] == [ID, DATE, NESTED_NAME, NESTED_DATE]


def test_a_values_list_is_asked_of_every_element_that_holds_a_value() -> None:
    rules = recipe("%values v", "FIELD PatientID", "%header", "REMOVE values:v")
    assert rules.uses_values
    assert [step.values_list for step in rules.decide(NAME).steps] == ["v"]
    assert rules.decide(SEQUENCE).steps == ()


def test_a_values_list_may_be_asked_of_some_elements_only() -> None:
    rules = recipe("%values v", "FIELD PatientID", "%header", "REMOVE select:VR:PN values:v")
    (step,) = rules.decide(NAME).steps
    assert (step.action, step.value, step.values_list) == (Action.REMOVE, None, "v")
    assert rules.decide(ID).steps == ()


# ------------------------------------------------------------------------------------------------ precedence

PRECEDENCE = [
    # rules in order, address, what befalls it (None: kept)
    (["REMOVE ALL", "KEEP PatientID"], ID, None),
    (["KEEP PatientID", "REMOVE ALL"], ID, None),
    (["KEEP PatientID", "REPLACE PatientID x", "BLANK PatientID", "REMOVE PatientID func:f"], ID, None),
    (["KEEP contains:Patient", "JITTER ALL 5"], NAME, None),
    (["KEEP RequestAttributesSequence", "REMOVE ALL"], SEQUENCE, None),
    (["KEEP RequestAttributesSequence", "REMOVE ALL"], NESTED_NAME, None),
    (["KEEP RequestAttributesSequence__PatientName", "REMOVE PatientName"], NESTED_NAME, None),
    (["KEEP RequestAttributesSequence__PatientName", "REMOVE PatientName"], NAME, ["REMOVE PatientName"]),
    (["KEEP RequestAttributesSequence__PatientName", "REMOVE ALL"], SEQUENCE, ["REMOVE ALL"]),
    (["KEEP PatientID", "ADD PatientID x"], ID, ["ADD PatientID x"]),
    (["KEEP PatientID", "ADD PatientID x", "BLANK PatientID"], ID, ["ADD PatientID x", "BLANK PatientID"]),
    (["REMOVE PatientID", "KEEP PatientID", "ADD PatientID x"], ID, ["ADD PatientID x"]),
    (["REMOVE ALL", "REPLACE PatientID x"], ID, ["REPLACE PatientID x"]),
    (["REPLACE PatientID x", "REMOVE ALL"], ID, ["REPLACE PatientID x"]),
    (["REPLACE PatientID x", "REMOVE PatientID"], ID, ["REPLACE PatientID x"]),
    (["REPLACE contains:Patient x", "REMOVE PatientID func:f"], ID, ["REPLACE contains:Patient x"]),
    (["REMOVE ALL", "JITTER select:VR:DA 5"], DATE, ["JITTER select:VR:DA 5"]),
    (["REMOVE ALL", "JITTER select:VR:DA 5"], ID, ["REMOVE ALL"]),
    (["REPLACE PatientID x", "BLANK PatientID"], ID, ["REPLACE PatientID x", "BLANK PatientID"]),
    (["BLANK PatientID", "REPLACE PatientID x"], ID, ["BLANK PatientID", "REPLACE PatientID x"]),
    (["JITTER StudyDate 1", "JITTER endswith:Date 2"], DATE, ["JITTER StudyDate 1", "JITTER endswith:Date 2"]),
    (["BLANK ALL", "REMOVE PatientID"], ID, ["REMOVE PatientID"]),
    (["REMOVE PatientID", "BLANK ALL"], ID, ["REMOVE PatientID"]),
    (["REMOVE PatientID func:f", "BLANK PatientID"], ID, ["REMOVE PatientID func:f", "BLANK PatientID"]),
    (["REMOVE PatientID", "ADD PatientID x"], ID, ["REMOVE PatientID", "ADD PatientID x"]),
    (["ADD PatientID x", "REMOVE PatientID"], ID, ["REMOVE PatientID"]),
    (["ADD PatientName x"], NESTED_NAME, []),
    (["REPLACE RequestAttributesSequence__PatientName x", "REMOVE ALL"], SEQUENCE, ["REMOVE ALL"]),
    (["REPLACE contains:Request x", "REMOVE ALL"], SEQUENCE, []),
    (["REPLACE contains:Request x", "REMOVE ALL"], NESTED_NAME, ["REPLACE contains:Request x"]),
    (["BLANK ALL"], SEQUENCE, ["BLANK ALL"]),
    (["REMOVE ALL func:f"], SEQUENCE, []),
    (["REMOVE ALL func:f"], NESTED_NAME, ["REMOVE ALL func:f"]),
    (["JITTER contains:Study 5"], TIME, []),
    (["REMOVE StudyTime", "JITTER contains:Study 5"], TIME, []),
    (["JITTER ALL 5"], ROWS, []),
    (["JITTER ALL 5"], NAME, ["JITTER ALL 5"]),
    (["REMOVE PatientName"], ID, []),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "address", "expected"), PRECEDENCE)
def test_precedence(lines: list[str], address: Field, expected: list[str] | None) -> None:
    decision = recipe(*lines).decide(address)
    assert decision.kept is (expected is None)
    assert steps(decision) == (expected or [])


def test_a_fields_list_keeps_and_holds_back_like_any_other_field() -> None:
    listed = ["%fields f", "FIELD PatientID", "%header", "REMOVE ALL"]
    assert recipe(*listed, "KEEP fields:f").decide(ID).kept
    assert steps(recipe(*listed, "REPLACE fields:f x").decide(ID)) == ["REPLACE fields:f x"]


def test_a_values_list_holds_nothing_back() -> None:
    rules = recipe("%values v", "FIELD PatientID", "%header", "REPLACE values:v x", "REMOVE ALL")
    assert steps(rules.decide(ID)) == ["REMOVE ALL"]


def test_a_decision_names_the_rule_that_made_it() -> None:
    rules = recipe("REMOVE ALL", "KEEP PatientID", "BLANK PatientName", "REPLACE PatientName x")
    assert str(rules.decide(ID).rule) == "KEEP PatientID"
    assert str(rules.decide(NAME).rule) == "REPLACE PatientName x"
    assert recipe("REMOVE PatientID").decide(NAME).rule is None


# ------------------------------------------------------------------------------------------------ cleaning

CONTENT, CODE_SEQUENCE = 0x0040A730, 0x0040A168
TEXT_VALUE = Field((CONTENT, CONTENT), 0x0040A160, "UT")
MEANING = Field((CONTENT, CODE_SEQUENCE), 0x00080104, "LO")
CLEANED_DATE = Field((CONTENT,), 0x0040A121, "DA")


def test_cleaning_by_name_holds_remove_back_wherever_it_stands() -> None:
    for lines in (["REMOVE PatientID", "CLEAN PatientID"], ["CLEAN PatientID", "REMOVE ALL"]):
        assert steps(recipe(*lines).decide(ID)) == ["CLEAN PatientID"]
    lists = recipe("%fields f", "FIELD PatientID", "%header", "CLEAN fields:f", "REMOVE ALL")
    assert steps(lists.decide(ID)) == ["CLEAN fields:f"]


def test_cleaning_by_name_takes_the_value_as_the_file_has_it() -> None:
    rules = recipe("BLANK select:VR:LO", "REPLACE PatientID x", "CLEAN PatientID 5", "BLANK PatientName")
    (step,) = rules.decide(ID).steps
    assert (step.action, str(step.value), str(step.instead)) == (Action.CLEAN, "5", "x")


def test_what_follows_a_cleaning_applies() -> None:
    assert steps(recipe("CLEAN PatientID", "BLANK PatientID").decide(ID)) == ["CLEAN PatientID", "BLANK PatientID"]


@pytest.mark.parametrize("before", ["REPLACE PatientID func:f", "BLANK PatientID", "JITTER PatientID 3"])
def test_only_a_given_value_stands_in_for_what_cleaning_takes_away(before: str) -> None:
    assert recipe(before, "CLEAN PatientID").decide(ID).steps[0].instead is None


def test_cleaning_a_whole_kind_holds_nothing_back_and_undoes_nothing() -> None:
    rules = recipe("REPLACE PatientID x", "CLEAN select:VR:LO", "REMOVE PatientName")
    assert steps(rules.decide(ID)) == ["REPLACE PatientID x", "CLEAN select:VR:LO"]
    assert steps(recipe("REMOVE PatientID", "CLEAN select:VR:LO").decide(ID)) == ["REMOVE PatientID"]


def test_what_is_added_or_kept_is_not_cleaned() -> None:
    assert steps(recipe("ADD PatientID x", "CLEAN PatientID").decide(ID)) == ["ADD PatientID x"]
    assert recipe("KEEP PatientID", "CLEAN PatientID").decide(ID).kept


def test_cleaning_a_sequence_cleans_the_texts_of_its_content_items() -> None:
    rules = recipe("BLANK select:VR:UT", "CLEAN select:VR:LO", "CLEAN ContentSequence 5", "REMOVE ContentSequence")
    assert steps(rules.decide(Field((), CONTENT, "SQ"))) == ["CLEAN ContentSequence 5"]
    assert steps(rules.decide(TEXT_VALUE)) == ["CLEAN ContentSequence 5"]
    assert steps(rules.decide(MEANING)) == ["CLEAN ContentSequence 5"]
    assert steps(rules.decide(Field((), 0x0040A160, "UT"))) == ["BLANK select:VR:UT"]


def test_in_a_cleaned_sequence_a_rule_has_the_word_before_the_cleaning() -> None:
    shifted = recipe("CLEAN ContentSequence 5", "JITTER select:VR:DA 7")
    assert steps(shifted.decide(CLEANED_DATE)) == ["JITTER select:VR:DA 7"]
    assert steps(recipe("CLEAN ContentSequence 5").decide(CLEANED_DATE)) == ["CLEAN ContentSequence 5"]
    assert recipe("CLEAN ContentSequence 5", "KEEP TextValue").decide(TEXT_VALUE).kept


def test_cleaning_a_whole_kind_passes_over_sequences() -> None:
    assert steps(recipe("CLEAN ALL").decide(SEQUENCE)) == []


# ------------------------------------------------------------------------------------------------ private elements


def test_removing_private_elements_spares_only_those_that_a_rule_names() -> None:
    rules = recipe(
        "REMOVE select:private:yes", "JITTER select:VR:DA 5", 'KEEP (0033,"MITRA OBJECT 1.0",1E)', "KEEP select:VR:LO"
    )
    assert steps(rules.decide(PRIVATE_DATE)) == ["REMOVE select:private:yes"]
    assert rules.decide(PRIVATE).kept
    assert steps(rules.decide(Field((), 0x00331020, "LO", "MITRA OBJECT 1.0"))) == ["REMOVE select:private:yes"]
    assert not rules.removes_all_private


def test_a_private_element_that_is_named_may_be_replaced_instead_of_removed() -> None:
    rules = recipe("REMOVE select:private:yes", 'REPLACE (0033,"MITRA OBJECT 1.0",1E) x')
    assert [step.action for step in rules.decide(PRIVATE).steps] == [Action.REPLACE]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["REMOVE select:private:yes"], True),
        (["REMOVE ALL"], True),
        (["REMOVE ALL", "KEEP PatientID", "REPLACE (0010,0010) x", "KEEP select:group:0028"], True),
        (["REMOVE select:private:yes", "JITTER select:VR:DA 5", "REPLACE contains:Date x"], True),
        (["REMOVE select:private:yes", "BLANK 0033101E"], True),
        (["REMOVE ALL", "JITTER select:VR:DA 5"], False),
        (["REMOVE ALL", "CLEAN select:VR:LO"], True),
        (["REMOVE ALL", "CLEAN 0033101E"], False),
        (["REMOVE select:private:yes", 'CLEAN (0033,"MITRA OBJECT 1.0",1E)'], False),
        (["REMOVE ALL", "KEEP contains:Date"], False),
        (["REMOVE ALL", "KEEP except:Date"], False),
        (["REMOVE ALL", "KEEP 0033101E"], False),
        (["REMOVE ALL", "KEEP select:group:0033"], False),
        (["REMOVE select:private:yes", "KEEP select:group:0033"], False),
        (["REMOVE select:private:yes", 'KEEP startswith:0033,"MITRA OBJECT 1.0"'], False),
        (["REMOVE ALL func:f"], False),
        (["REMOVE select:VR:UN"], False),
        (["BLANK ALL"], False),
    ],
)
def test_whether_every_private_element_goes_is_known_beforehand(lines: list[str], expected: bool) -> None:
    rules = recipe(*lines)
    assert rules.removes_all_private is expected
    if expected:
        assert all(
            [step.action for step in rules.decide(address).steps] == [Action.REMOVE]
            for address in (PRIVATE, PRIVATE_DATE, CREATOR, UNKNOWN)
        )


# ------------------------------------------------------------------------------------------------ what no rule may do


@pytest.mark.parametrize("line", ["REMOVE ALL", "BLANK ALL", "REPLACE except:nothing x", "JITTER ALL 5"])
@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        (0x00080005, "CS"), (0x00080016, "UI"), (0x00081150, "UI"), (0x00281201, "OW"), (0x00281203, "OW"),
        (0x7FE00008, "OF"), (0x7FE00009, "OD"), (0x7FE00010, "OW"),
    ],
)  # fmt: skip
def test_what_says_what_the_bytes_are_stays(line: str, tag: int, vr: str) -> None:
    for path in ((), (REQUEST,)):
        assert recipe(line).decide(Field(path, tag, vr)) == Decision(True, (), None)


def test_the_lut_of_a_voi_lut_sequence_stays_and_its_texts_do_not() -> None:
    rules = recipe("REMOVE ALL")
    assert rules.decide(Field((), 0x00283010, "SQ")) == Decision(False, (), None)
    assert rules.decide(Field((0x00283010,), 0x00283006, "OW")).kept
    assert steps(rules.decide(Field((0x00283010,), 0x00283003, "LO"))) == ["REMOVE ALL"]
    assert steps(rules.decide(Field((REQUEST,), 0x00283006, "OW"))) == ["REMOVE ALL"]


def test_the_file_meta_is_left_to_the_engine() -> None:
    assert recipe("REMOVE ALL").decide(Field((), 0x00020016, "AE", file_meta=True)) == Decision(True, (), None)


@pytest.mark.parametrize("line", ["REMOVE ALL", "BLANK endswith:UID", "REMOVE contains:UID func:f", "JITTER ALL 5"])
@pytest.mark.parametrize("tag", [0x00080018, 0x00081155, 0x0020000D, 0x0020000E, 0x00200052])
def test_a_uid_of_type_1_becomes_a_pseudonym_instead(line: str, tag: int) -> None:
    (step,) = recipe(line).decide(Field((), tag, "UI")).steps
    assert (step.action, step.value, str(step.rule)) == (Action.REPLACE, PSEUDONYM, line)


def test_a_uid_of_type_1_that_is_replaced_is_not_replaced_again_by_a_remove() -> None:
    rules = recipe("REPLACE StudyInstanceUID var:uid", "REMOVE contains:UID")
    assert steps(rules.decide(Field((), 0x0020000D, "UI"))) == ["REPLACE StudyInstanceUID var:uid"]


def test_another_uid_may_be_removed() -> None:
    assert [step.action for step in recipe("REMOVE DeviceUID").decide(Field((), 0x00181002, "UI")).steps] == [
        Action.REMOVE
    ]


# ------------------------------------------------------------------------------------------------ additions


def test_an_addition_goes_on_with_the_rules_that_follow_it() -> None:
    rules = recipe("REMOVE PatientID", "ADD PatientID var:a", "BLANK startswith:Patient", "ADD PatientID b")
    (addition,) = rules.additions
    assert (addition.path, addition.tag, addition.vr) == ((), PATIENT_ID, "LO")
    assert [str(step.rule) for step in addition.steps] == [
        "ADD PatientID var:a",
        "BLANK startswith:Patient",
        "ADD PatientID b",
    ]


def test_an_addition_names_its_item() -> None:
    (addition,) = recipe("ADD RequestAttributesSequence__1__StudyInstanceUID 1.2").additions
    assert (addition.path, addition.tag, addition.vr) == (((REQUEST, 1),), 0x0020000D, "UI")


@pytest.mark.parametrize("field", ["PatientID", "(0010,0020)", "00100020", "patientid"])
def test_an_addition_is_named_by_keyword_or_tag(field: str) -> None:
    (addition,) = recipe(f"ADD {field} x").additions
    assert (addition.tag, addition.vr) == (PATIENT_ID, "LO")


def test_two_additions_to_one_place_are_one() -> None:
    (addition,) = recipe("ADD PatientID a", "ADD (0010,0020) b").additions
    assert [str(step.value) for step in addition.steps] == ["a", "b"]


def test_an_addition_that_is_removed_again_ends_removed() -> None:
    (addition,) = recipe("ADD PatientID a", "REMOVE PatientID").additions
    assert addition.steps[-1].action is Action.REMOVE


# ------------------------------------------------------------------------------------------------ speed


def test_a_decision_is_made_once_an_address() -> None:
    rules = recipe("REMOVE contains:Patient")
    assert rules.decide(ID) is rules.decide(Field((), PATIENT_ID, "LO"))


def test_decisions_are_forgotten_when_a_hostile_file_has_too_many_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sendit.deid.recipe.precedence.DECISIONS", 10)
    rules = recipe("REMOVE select:private:yes")
    for tag in range(0x00110000, 0x00110100):
        rules.decide(Field((), tag, "LO"))
    assert len(rules.ruleset._decisions) <= 10


def test_a_recipe_says_what_its_engine_must_know() -> None:
    plain = recipe("REMOVE ALL")
    assert (plain.uses_indices, plain.uses_values) == (False, False)
    assert recipe("%fields f", "FIELD (0040,0275)__0__(0010,0010)", "%header", "BLANK fields:f").uses_indices


# ------------------------------------------------------------------------------------------------ the default recipe


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (NAME, ["ADD PatientName var:entity_id"]),
        (NESTED_NAME, ["REPLACE PatientName var:entity_id"]),
        (ID, ["ADD PatientID var:entity_id"]),
        (DATE, ["JITTER StudyDate var:jitter"]),
        (TIME, []),
        (PRIVATE, ["REMOVE select:private:yes"]),
        (PRIVATE_DATE, ["REMOVE select:private:yes"]),
        (SEQUENCE, ["CLEAN RequestAttributesSequence var:jitter"]),
        (Field((), 0x00100030, "DA"), ["BLANK PatientBirthDate"]),
        (Field((), 0x00101010, "AS"), ["REPLACE PatientAge deid_func:cap_age max=89"]),
        (Field((), 0x0008103E, "LO"), ["CLEAN SeriesDescription"]),
        (Field((), 0x00081030, "LO"), ["CLEAN StudyDescription var:jitter"]),
        (Field((), 0x00080090, "PN"), ["BLANK ReferringPhysicianName"]),
        (Field((), 0x00189999, "LO"), ["REMOVE select:unknown:yes"]),
        (Field((), 0x00204000, "LT"), ["CLEAN ImageComments var:jitter"]),
        (Field((), 0x00201070, "IS"), ["REMOVE select:retired:yes"]),
        (Field((), 0x60020022, "LO"), ["REMOVE startswith:\\(60"]),
        (ROWS, []),
    ],
)
def test_the_default_recipe_decides(address: Field, expected: list[str]) -> None:
    decision = load_recipe("research").decide(address)
    wanted = [word for word in steps(decision) if not word.startswith("BLANK select") or word in expected]
    assert wanted == expected


def test_the_default_recipe_needs_neither_values_nor_indices() -> None:
    research = load_recipe("research")
    assert (research.uses_values, research.uses_indices, research.removes_all_private) == (False, False, False)


def test_descriptions_are_kept_where_the_operator_says_so() -> None:
    series_description = Field((), 0x0008103E, "LO")
    assert load_recipe("research,descriptions").decide(series_description).kept
