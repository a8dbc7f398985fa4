"""Relations that hold for any dataset: what stays equal, what goes, what keeps its distance, what maps to one."""

from __future__ import annotations

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from sendit.deid import Deidentifier, Pseudonyms
from sendit.deid.pseudonyms import WELL_KNOWN_UIDS
from sendit.deid.recipe.recipe import load_recipe, parse_recipe
from sendit.deid.recipe.rules import NEEDED_UIDS, PROTECTED
from tests.property.datasets import TAGS, TEXT, UIDS, Drawn, datasets, encoded, every_element
from tests.support.phantoms import WORD
from tests.support.streams import KEY, VARIABLES, deidentified, deidentifier, differences, read, split_part10

FEW = settings(max_examples=60, deadline=None, derandomize=True)
MIXED = """
REPLACE PatientName Zoe
REPLACE select:VR:UI deid_func:pydicom_uuid
JITTER select:VR:DA var:jitter
JITTER select:VR:DT var:jitter
BLANK PatientID
REMOVE contains:Description|Physician
ADD PatientIdentityRemoved YES
ADD ReferencedImageSequence__0__PatientID added
KEEP SourceImageSequence
"""


def values_of(ds: Dataset) -> dict[int, object]:
    """Public values by tag, comparable across transfer syntaxes."""
    found: dict[int, object] = {}
    for element in ds:
        if not element.tag.is_private:
            found[element.tag] = [values_of(i) for i in element.value] if element.VR == "SQ" else element.value or None
    return found


@FEW
@given(datasets(), st.sampled_from(list(UIDS)), st.sampled_from(["", "KEEP ALL"]))
def test_what_no_rule_changes_stays_byte_for_byte(drawn: Drawn, syntax: str, rules: str) -> None:
    data = encoded(drawn.dataset, syntax)
    after = deidentified(data, rules)
    assert differences(read(data), read(after)) == []
    if syntax != "deflated":
        assert split_part10(after)[1] == split_part10(data)[1]


@FEW
@given(st.lists(datasets(), min_size=1, max_size=3), st.sampled_from(list(UIDS)))
def test_the_same_image_gives_the_same_bytes_whatever_came_before(images: list[Drawn], syntax: str) -> None:
    files = [encoded(drawn.dataset, syntax) for drawn in images]
    seasoned = deidentifier(MIXED)
    for data in [*files, *reversed(files), *files]:
        assert seasoned.deidentify(data).tobytes() == deidentified(data, MIXED)


@FEW
@given(datasets(private=False))
def test_the_transfer_syntax_makes_no_difference(drawn: Drawn) -> None:
    outputs = [values_of(read(deidentified(encoded(drawn.dataset, syntax), MIXED))) for syntax in UIDS]
    assert outputs[1:] == outputs[:-1]


@FEW
@given(st.data(), datasets(), st.sampled_from(list(UIDS)))
def test_a_planted_identifier_never_outlives_its_rule(data: st.DataObject, drawn: Drawn, syntax: str) -> None:
    rules: set[str] = set()

    def plant(element: object) -> None:
        if element.VR in TEXT and not element.tag.is_private:  # type: ignore[attr-defined]
            element.value = WORD  # type: ignore[attr-defined]
            action = data.draw(st.sampled_from(["REMOVE {}", "BLANK {}", "REPLACE {} X"]))
            rules.add(action.format(f"{int(element.tag):08X}"))  # type: ignore[attr-defined]

    every_element(drawn.dataset, plant)
    source = encoded(drawn.dataset, syntax)
    after = deidentified(source, "\n".join([*sorted(rules), "REMOVE select:private:yes"]))
    plain = encoded(read(after)) if syntax == "deflated" else after
    assert WORD.lower().encode() not in plain.lower()


@FEW
@given(datasets(), st.sampled_from(list(UIDS)))
def test_remove_all_leaves_what_is_protected_and_pseudonyms(drawn: Drawn, syntax: str) -> None:
    after = read(deidentified(encoded(drawn.dataset, syntax), "REMOVE ALL"))
    assert {int(tag) for tag in after.keys()} <= PROTECTED | NEEDED_UIDS  # noqa: SIM118
    assert after.SOPClassUID == drawn.dataset.SOPClassUID
    assert after.SOPInstanceUID.startswith("2.25.") or after.SOPInstanceUID in WELL_KNOWN_UIDS


@FEW
@given(st.lists(st.dates(date(1900, 1, 1), date(2100, 1, 1)), min_size=3, max_size=3), st.integers(-3650, 3650))
def test_intervals_between_dates_stay(days: list[date], shift: int) -> None:
    ds = Dataset()
    ds.SOPClassUID = ds.SOPInstanceUID = "1.2"
    texts = [day.strftime("%Y%m%d") for day in days]
    ds.StudyDate, ds.SeriesDate, ds.AcquisitionDateTime = texts[0], texts[1], texts[2] + "235959"
    rules = "JITTER select:VR:DA var:days\nJITTER select:VR:DT var:days"
    after = read(deidentified(encoded(ds), rules, days=shift))
    moved = [after.StudyDate, after.SeriesDate, after.AcquisitionDateTime[:8]]
    found = [date(int(text[:4]), int(text[4:6]), int(text[6:])) for text in moved]
    assert [(new - old).days for new, old in zip(found, days, strict=True)] == [shift] * 3
    assert after.AcquisitionDateTime[8:] == "235959"


@FEW
@given(st.lists(datasets(), min_size=1, max_size=4))
def test_a_uid_becomes_one_pseudonym_in_all_images_and_batches(images: list[Drawn]) -> None:
    rules = "REPLACE select:VR:UI deid_func:pydicom_uuid"
    mapped: dict[str, str] = {}
    for drawn in images:
        before: list[str] = []
        after: list[str] = []
        every_element(
            read(encoded(drawn.dataset)), lambda e, into=before: into.append(e.value) if e.VR == "UI" else None
        )
        out = read(deidentified(encoded(drawn.dataset), rules))
        every_element(out, lambda e, into=after: into.append(e.value) if e.VR == "UI" else None)
        for original, pseudonym in zip(before, after, strict=True):
            assert mapped.setdefault(original, pseudonym) == pseudonym
    assert len(set(mapped.values())) == len(mapped)
    assert all(original == pseudonym for original, pseudonym in mapped.items() if original in WELL_KNOWN_UIDS)


RESEARCH = load_recipe("research")


@FEW
@given(datasets(), st.sampled_from(list(UIDS)))
def test_the_default_recipe_takes_any_dataset_and_its_output_again(drawn: Drawn, syntax: str) -> None:
    def plant(element: object) -> None:
        if element.VR == "PN":  # type: ignore[attr-defined]
            element.value = f"{WORD}^Quillon"  # type: ignore[attr-defined]

    every_element(drawn.dataset, plant)
    deid = Deidentifier(RESEARCH, Pseudonyms(KEY), VARIABLES)
    once = deid.deidentify(encoded(drawn.dataset, syntax)).tobytes()
    assert WORD.lower().encode() not in encoded(read(once)).lower()
    twice = deid.deidentify(once).tobytes()
    assert {int(t) for t in read(twice).keys()} == {int(t) for t in read(once).keys()}  # noqa: SIM118


def test_the_attributes_drawn_are_of_every_vr_but_unknown_and_the_newest() -> None:
    from sendit.deid.stream.values import VRS

    assert VRS - TAGS.keys() == {"SQ", "UN", "OV", "SV", "UV"}
    assert parse_recipe("FORMAT dicom\n%header\n" + MIXED).rules
