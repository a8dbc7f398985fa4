"""The profile and its Options in a recipe: how they are chosen, what they come to, and who has the last word."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.datadict import tag_for_keyword

from sendit.deid.recipe.addresses import Field
from sendit.deid.recipe.profile import CLEAN_PIXEL_DATA, NOT_OFFERED, OPTIONS, Profile, ProfileError, parse_profile
from sendit.deid.recipe.recipe import Recipe, RecipeError, load_recipe, parse_recipe
from sendit.deid.standard.attribute_types import OPTIONAL, UNKNOWN, read_types, types
from sendit.deid.standard.codes import parse_codes
from sendit.deid.standard.profile_table import COLUMNS, table

CT, MR_ENHANCED, PRIVATE_CLASS = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4.1", "1.2.3.4"
MODIFIED = "Retain Longitudinal Temporal Information with Modified Dates"
FULL = "Retain Longitudinal Temporal Information with Full Dates"


def recipe(profile: str, *lines: str) -> Recipe:
    return parse_recipe("\n".join(["FORMAT dicom", f"PROFILE {profile}", "%header", *lines]))


def deed(one: Recipe, tag: int, vr: str, *, path: tuple[int, ...] = (), sop_class_uid: str = CT) -> list[str] | str:
    decision = one.decide(Field(path, tag, vr, sop_class_uid=sop_class_uid))
    return "kept" if decision.kept else [str(step.rule) for step in decision.steps]


# ---------------------------------------------------------------------------------------------- choosing


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("Basic", ()),
        ("basic profile", ()),
        ("Basic + Clean Graphics", ("Clean Graphics",)),
        ("BASIC+clean graphics option", ("Clean Graphics",)),
        ("Basic + Retain UIDs + Clean  Graphics", ("Clean Graphics", "Retain UIDs")),
        ("Basic + Retain Longitudinal Temporal Information Full Dates", (FULL,)),
        (f"Basic + {MODIFIED} Option", (MODIFIED,)),
    ],
)
def test_a_profile_is_chosen_by_the_names_of_its_options(text: str, options: tuple[str, ...]) -> None:
    assert parse_profile(text) == Profile(options)


@pytest.mark.parametrize(
    ("text", "offset", "reason"),
    [
        ("", 0, "the one profile is Basic"),
        ("Advanced", 0, "the one profile is Basic"),
        ("Basic + Clean Grafics", 8, "did you mean Clean Graphics"),
        ("Basic + Nothing", 8, "PS3.15 E.3 has: Clean Pixel Data, "),
        ("Basic +", 7, "is expected behind +"),
        ("Basic + Retain UIDs + retain uids", 22, "stands twice"),
        (f"Basic + {MODIFIED} + {FULL}", 71, "either full or modified"),
        ("Basic + Clean Recognizable Visual Features", 8, "does not support it"),
    ],
)
def test_what_cannot_be_chosen_says_why_and_where(text: str, offset: int, reason: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile(text)
    assert caught.value.offset == offset
    assert reason in caught.value.reason


def test_an_unknown_option_is_answered_with_all_of_them() -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile("Basic + x")
    assert all(option in caught.value.reason for option in OPTIONS)


def test_every_option_of_the_table_is_one() -> None:
    assert set(COLUMNS) - {"Basic Profile"} == set(OPTIONS) - set(NOT_OFFERED) - {CLEAN_PIXEL_DATA}


@pytest.mark.parametrize(
    ("lines", "line", "column", "reason"),
    [
        ("PROFILE Basic\nPROFILE Basic", 3, 1, "PROFILE stands once"),
        ("PROFILE", 2, 8, "the one profile is Basic"),
        ("PROFILE Basic + Clean Grafics", 2, 17, "did you mean"),
        ("INCLUDE", 2, 8, "INCLUDE names a recipe"),
        ("INCLUDE nonesuch", 2, 9, "there is no recipe nonesuch"),
        ("%header\nINCLUDE screening", 3, 1, "is no action"),
        ("INCLUDE research\nPROFILE Basic", 3, 1, "PROFILE stands once"),
    ],
)
def test_a_line_is_refused_where_it_is_wrong(lines: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(f"FORMAT dicom\n{lines}\n")
    assert (caught.value.line, caught.value.column) == (line, column)
    assert reason in caught.value.reason


def test_what_is_included_stands_in_its_place(tmp_path: Path) -> None:
    inner = tmp_path / "inner.recipe"
    inner.write_text(
        "FORMAT dicom\n%header\nREMOVE PatientComments\n%filter blacklist\nLABEL inner\n  missing Modality\n"
    )
    outer = parse_recipe(f"FORMAT dicom # ours\nINCLUDE {inner}\n%header\nREMOVE PatientID\n")
    assert [(Path(rule.file).name, str(rule)) for rule in outer.rules] == [
        ("inner.recipe", "REMOVE PatientComments"),
        ("<recipe>", "REMOVE PatientID"),
    ]
    assert [label.text for rules in outer.filters for label in rules.labels] == ["inner"]
    assert [str(rule) for rule in parse_recipe(outer.text).rules] == [str(rule) for rule in outer.rules]
    assert outer.text.count("FORMAT") == 1


def test_a_recipe_that_includes_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.recipe"
    path.write_text(f"FORMAT dicom\nINCLUDE {path}\n")
    with pytest.raises(RecipeError, match="includes itself"):
        load_recipe(path)


def test_the_fingerprint_is_of_what_the_profile_comes_to() -> None:
    assert load_recipe("basic").sha256 != load_recipe("research").sha256
    assert parse_recipe(load_recipe("basic").text).sha256 == load_recipe("basic").sha256


# ---------------------------------------------------------------------------------------------- codes and Types


def test_a_conditional_code_is_resolved_by_the_type_in_the_files_iod() -> None:
    basic, acquisition = recipe("Basic"), 0x0008002A  # Acquisition DateTime: X/Z/D
    assert types().type_of(CT, (), acquisition) == OPTIONAL
    assert deed(basic, acquisition, "DT") == ["REMOVE AcquisitionDateTime"]
    assert types().type_of(MR_ENHANCED, (), acquisition) == "1C"
    dummy = ["REPLACE type:1|1C|unknown:AcquisitionDateTime 19000101000000"]
    assert deed(basic, acquisition, "DT", sop_class_uid=MR_ENHANCED) == dummy
    assert deed(basic, acquisition, "DT", sop_class_uid=PRIVATE_CLASS) == dummy


def test_in_an_item_the_type_is_the_strictest_that_any_iod_has_there() -> None:
    operators = (0x00081072,)  # Operator Identification Sequence
    assert types().type_of(CT, operators, 0x00401101) == "1"
    assert types().type_of(CT, (0x00091001,), 0x00401101) == UNKNOWN
    assert types().type_of(CT, operators, 0x00080020) == OPTIONAL
    done = deed(recipe("Basic"), 0x00080080, "LO", path=operators)
    assert done == ["REPLACE type:1C|unknown:InstitutionName REMOVED"]


def test_an_attribute_that_an_iod_requires_is_not_removed() -> None:
    series_date = 0x00080021  # X/D; Type 1 in PET
    pet = "1.2.840.10008.5.1.4.1.1.128"
    assert deed(recipe("Basic"), series_date, "DA", sop_class_uid=pet)[0].startswith("REPLACE type:1|unknown")
    assert deed(recipe("Basic"), series_date, "DA") == ["REMOVE SeriesDate"]


def test_the_facts_are_read_as_they_are_written() -> None:
    facts = read_types("# about\n1.2 1.3\t00080020:2 00080021:1C\n00081072\t00401101:1\n")
    assert facts.type_of("1.3", (), 0x00080021) == "1C"
    assert facts.type_of("1.2", (), 0x00080050) == OPTIONAL
    assert facts.type_of("1.4", (), 0x00080021) == UNKNOWN
    assert facts.type_of("", (0x00081072,), 0x00401101) == "1"


def test_the_table_has_the_standards_rows() -> None:
    assert len(table().rows) == 621
    assert table().edition == "January 2025"


def test_dates_follow_the_option_for_dates_whatever_another_retains() -> None:
    calibration = 0x00181200  # Date of Last Calibration: K for Retain Device Identity
    both = recipe(f"Basic + Retain Device Identity + {MODIFIED}")
    assert deed(both, calibration, "DA") == ["REMOVE DateOfLastCalibration"]  # as no option at all would have it
    assert deed(both, 0x00080022, "DA") == ["JITTER AcquisitionDate var:jitter"]
    assert deed(recipe("Basic + Retain Device Identity"), calibration, "DA") == "kept"


def test_counters_of_a_device_go_where_dates_are_shifted() -> None:
    exposures = 0x00187011  # Exposures on Detector Since Manufactured
    assert deed(load_recipe("research"), exposures, "IS") == ["REMOVE ExposuresOnDetectorSinceManufactured"]
    assert deed(load_recipe("limited-dataset"), exposures, "IS") == deed(
        load_recipe("limited-dataset"), 0x00181150, "IS"
    )


# ---------------------------------------------------------------------------------------------- beyond the table

KINDS = [
    (0x00401234, "LO", "unknown"),
    (0x00185100, "UN", "VR:UN"),
    (0x00201070, "IS", "retired"),
    (0x50000010, "US", r"\(50"),
    (0x60000022, "LO", r"\(60"),
    (0x60FE3000, "OW", r"\(60"),
    (0x00091001, "LO", "private"),
]


@pytest.mark.parametrize(("tag", "vr", "word"), KINDS)
@pytest.mark.parametrize("name", ["basic", "research", "limited-dataset"])
def test_a_kind_that_nobody_knows_goes(name: str, tag: int, vr: str, word: str) -> None:
    (step,) = deed(load_recipe(name), tag, vr)
    assert step.startswith("REMOVE") and word in step


@pytest.mark.parametrize(
    ("keyword", "vr", "basic", "research"),
    [
        ("EvaluatorName", "PN", "BLANK select:VR:PN", "BLANK select:VR:PN"),
        ("TargetFrameOfReferenceUID", "UI", "REPLACE select:VR:UI", "REPLACE select:VR:UI"),
        ("ExpiryDate", "DA", "BLANK select:VR:DA", "REMOVE ExpiryDate"),
        ("SecondaryReviewDate", "DA", "BLANK select:VR:DA", "JITTER select:VR:DA"),
        ("AlarmDecisionTime", "DT", "BLANK select:VR:DT", "JITTER select:VR:DT"),
        ("SurfaceComments", "LT", "BLANK select:VR:LT", "CLEAN select:VR:LT"),
        ("ContactURI", "UR", "BLANK select:VR:UR", "BLANK select:VR:UR"),
        ("PatientAlternativeCalendar", "CS", "REMOVE contains:", "REMOVE contains:"),
    ],
)
def test_what_the_table_does_not_list_is_dealt_with_by_its_vr(keyword: str, vr: str, basic: str, research: str) -> None:
    tag = tag_for_keyword(keyword)
    assert tag is not None and f"{tag:08X}" not in {row.tag for row in table().rows}
    for name, expected in (("basic", basic), ("research", research)):
        (step,) = deed(load_recipe(name), tag, vr)
        assert step.startswith(expected)


def test_a_listed_attribute_in_a_private_sequence_is_dealt_with_like_any() -> None:
    assert deed(load_recipe("research"), 0x00100010, "PN", path=(0x00091001,)) == ["REPLACE PatientName var:entity_id"]


# ---------------------------------------------------------------------------------------------- the last word


@pytest.mark.parametrize(
    ("line", "tag", "vr", "expected"),
    [
        ("REMOVE StudyDate", 0x00080020, "DA", ["REMOVE StudyDate"]),
        ("REMOVE contains:Date", 0x00080020, "DA", ["REMOVE contains:Date"]),
        ("BLANK StudyDate", 0x00080020, "DA", ["BLANK StudyDate"]),
        ("KEEP StudyDescription", 0x00081030, "LO", "kept"),
        ("REPLACE StudyDescription x", 0x00081030, "LO", ["REPLACE StudyDescription x"]),
        ("REMOVE PatientSex", 0x00100040, "CS", ["REMOVE PatientSex"]),
        ("JITTER StudyDate var:jitter", 0x00080020, "DA", ["JITTER StudyDate var:jitter"]),
        ("JITTER select:VR:DA var:jitter", 0x00080020, "DA", ["JITTER StudyDate var:jitter"]),
        (
            "JITTER select:VR:DA var:jitter",
            0x00100030,
            "DA",
            ["BLANK PatientBirthDate", "JITTER select:VR:DA var:jitter"],
        ),
        ("REPLACE select:VR:LO x", 0x00100021, "LO", ["REMOVE IssuerOfPatientID"]),
        ("KEEP RequestAttributesSequence", 0x00400275, "SQ", "kept"),
    ],
)
def test_the_recipes_own_rules_have_the_last_word(line: str, tag: int, vr: str, expected: list[str] | str) -> None:
    one = recipe(f"Basic + {MODIFIED} + Retain Patient Characteristics", line)
    assert deed(one, tag, vr) == expected


def test_a_rule_of_its_own_in_another_recipe_has_it_too_in_whatever_order(tmp_path: Path) -> None:
    path = tmp_path / "own.recipe"
    path.write_text("FORMAT dicom\n%header\nREMOVE StudyDate\n")
    for names in (f"research,{path}", f"{path},research"):
        assert deed(load_recipe(names), 0x00080020, "DA") == ["REMOVE StudyDate"]


def test_an_own_rule_on_a_condition_befalls_what_the_profile_leaves() -> None:
    one = recipe(f"Basic + {MODIFIED}", "REMOVE StudyDate func:odd")
    assert deed(one, 0x00080020, "DA") == ["JITTER StudyDate var:jitter", "REMOVE StudyDate func:odd"]


def test_a_kept_sequence_still_has_its_items_dealt_with() -> None:
    one = recipe("Basic + Retain Device Identity")
    assert deed(one, 0x0018100A, "SQ") == []
    assert deed(one, 0x00100010, "PN", path=(0x0018100A,)) == ["REPLACE PatientName var:entity_id"]


# ---------------------------------------------------------------------------------------------- the truth


@pytest.mark.parametrize(
    ("line", "departs"),
    [
        ("KEEP StudyDescription", True),
        ("KEEP select:group:0010", True),
        ("KEEP ALL", True),
        ("KEEP RequestAttributesSequence__StudyDate", True),
        ('KEEP (0019,"SIEMENS MR HEADER",0C)', True),
        ("CLEAN InstitutionName", True),
        ("JITTER PatientBirthDate 5", True),
        ("REPLACE PatientBirthDate deid_func:jitter days=1", True),
        ("REPLACE InstitutionName func:mine", True),
        ("KEEP Modality", False),
        ("KEEP PatientSex", False),
        ("KEEP StudyTime", True),
        ("JITTER StudyDate 5", False),
        ("CLEAN SeriesDescription", False),
        ("REMOVE PatientSex", False),
        ("REPLACE InstitutionName our hospital", False),
        ("REPLACE DeviceUID deid_func:dicom_uuid", False),
        ("ADD PatientComments var:item_id", False),
    ],
)
def test_a_rule_that_retains_more_keeps_the_output_from_claiming_the_profile(line: str, departs: bool) -> None:
    one = recipe(f"Basic + {MODIFIED} + Retain Patient Characteristics + Clean Descriptors", line)
    said = [str(rule) for rule in one.rules if rule.field == "DeidentificationMethodCodeSequence"]
    assert bool(one.exceptions) is departs
    assert said[0].startswith("REMOVE") is departs
    (method,) = (str(rule) for rule in one.rules if rule.field == "DeidentificationMethod")
    assert ("with exceptions" in method) is departs


@pytest.mark.parametrize(
    ("profile", "line", "said"),
    [
        ("Basic", "", "REMOVED"),
        ("Basic", "JITTER StudyDate 5", "MODIFIED"),
        ("Basic", "KEEP StudyDate", "UNMODIFIED"),
        ("Basic", "KEEP InstitutionName", "REMOVED"),
        (f"Basic + {MODIFIED}", "", "MODIFIED"),
        (f"Basic + {MODIFIED}", "KEEP select:VR:DA", "UNMODIFIED"),
        (f"Basic + {FULL}", "", "UNMODIFIED"),
    ],
)
def test_what_is_said_of_dates_is_true(profile: str, line: str, said: str) -> None:
    (rule,) = (rule for rule in recipe(profile, line).rules if rule.field == "LongitudinalTemporalInformationModified")
    assert str(rule.value) == said


def test_private_elements_that_a_recipe_knows_as_safe_are_no_departure() -> None:
    line = 'KEEP (0019,"SIEMENS MR HEADER",0C)'
    assert recipe("Basic + Retain Safe Private", line).exceptions == ()


@pytest.mark.parametrize("text", ["", "113100", '(113100, DCM "x")', '(a, b, "c") d', '(, DCM, "x")', '(1, DCM, "")'])
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_codes(text)
