"""The account of what was done: every element once, whether it was walked alone or recognized in a shared run."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom import Dataset, Sequence

from sendit.deid.rewriting import account
from sendit.deid.rewriting.account import Account, Done
from sendit.deid.stream.sources import WINDOW
from tests.property.datasets import encoded
from tests.support.streams import deidentifier


def image(**values: Any) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
    for name, value in values.items():
        setattr(ds, name, value)
    return ds


def rows(recipe: str, *images: Dataset, syntax: str = "explicit") -> list[Done]:
    """Of one deidentifier for all images."""
    found, deid = Account(), deidentifier(recipe)
    for each in images:
        found.add(deid.deidentify(encoded(each, syntax)).done)
    return found.rows()


def told(found: list[Done]) -> list[tuple[str, str, int]]:
    return [(done.keyword or done.place, done.action, done.count) for done in found]


@pytest.mark.parametrize(
    ("rule", "values", "expected"),
    [
        ("REMOVE PatientName", {"PatientName": "A^B"}, ("PatientName", "REMOVE", 1)),
        ("BLANK PatientName", {"PatientName": "A^B"}, ("PatientName", "BLANK", 1)),
        ("REPLACE PatientName X", {"PatientName": "A^B"}, ("PatientName", "REPLACE", 1)),
        ("JITTER StudyDate var:jitter", {"StudyDate": "20200101"}, ("StudyDate", "JITTER", 1)),
        ("ADD PatientIdentityRemoved YES", {}, ("PatientIdentityRemoved", "ADD", 1)),
        ("ADD PatientName X", {"PatientName": "A^B"}, ("PatientName", "ADD", 1)),
    ],
)
def test_each_action_is_counted_by_its_own_word(rule: str, values: dict[str, Any], expected: Any) -> None:
    assert told(rows(rule, image(**values))) == [expected]


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        ("REMOVE PatientName", {}),
        ("BLANK PatientName", {"PatientName": ""}),
        ("REPLACE PatientName A^B", {"PatientName": "A^B"}),
        ("KEEP PatientName", {"PatientName": "A^B"}),
    ],
)
def test_what_stays_as_it_was_is_not_counted(rule: str, values: dict[str, Any]) -> None:
    assert rows(rule, image(**values)) == []


def test_elements_of_items_are_counted_at_their_place_and_the_sequence_is_not() -> None:
    items = Sequence([image(PatientName="A"), image(PatientName="B")])
    found = rows("REMOVE PatientName", image(ReferencedImageSequence=items, PatientName="C"))
    assert [(done.place, done.count) for done in found] == [("(0008,1140)(0010,0010)", 2), ("(0010,0010)", 1)]


def test_private_elements_are_one_place() -> None:
    ds = image()
    block = ds.private_block(0x0009, "ACME", create=True)
    for offset in range(3):
        block.add_new(offset, "LO", "x")
    assert told(rows("REMOVE select:private:yes\nREMOVE PatientName", ds)) == [
        (account.PRIVATE, "REMOVE", 4)  # the creator goes with them
    ]


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "deflated"])
def test_images_of_a_series_count_as_each_would_alone(syntax: str) -> None:
    """The runs that are learned from the first images change no number; nor does a header beyond the window."""
    recipe = """
REMOVE startswith:Patient
REPLACE select:VR:UI deid_func:pydicom_uuid
BLANK StudyID
ADD StudyDate 20200101
"""
    images = [
        image(
            SOPInstanceUID=f"1.2.{number}",
            StudyID=str(number % 2),
            PatientName="A",
            PatientComments="x" * (WINDOW if number == 7 else 10),
            SeriesInstanceUID="1.5",
            StudyInstanceUID="1.4",
        )
        for number in range(20)
    ]
    alone: dict[Any, int] = {}
    for each in images:
        for done in rows(recipe, each, syntax=syntax):
            key = (done.place, done.keyword, done.action)
            alone[key] = alone.get(key, 0) + done.count
    assert {(d.place, d.keyword, d.action): d.count for d in rows(recipe, *images, syntax=syntax)} == alone
    assert alone["(0010,0010)", "PatientName", "REMOVE"] == 20


def test_hostile_files_with_ever_new_places_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "MOST_ACTIONS", 4)
    monkeypatch.setattr(account, "MOST_PLACES", 10)
    images = []
    for group in range(0x1012, 0x1050, 2):
        images.append(image())
        images[-1].add_new(group << 16 | 0x1234, "LO", "x")
    found = rows("REMOVE select:VR:LO", *images)
    assert len(found) == 11 and sum(done.count for done in found) == len(images)
    assert (account.ELSEWHERE, "", "REMOVE") in {(d.place, d.keyword, d.action) for d in found}
