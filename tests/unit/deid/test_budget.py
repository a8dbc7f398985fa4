"""Small files that would cost minutes or gigabytes are TooLarge; files as devices make them are not."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterable
from itertools import islice

import pytest

from sendit.deid import Deidentifier, Identifier, Pseudonyms, budget, load_recipe, read_header
from sendit.deid.identifiers import identifiers
from sendit.deid.identifiers.identifiers import Collected, extract
from sendit.errors import DataFault
from tests.support.streams import EXPLICIT, IMPLICIT, KEY, VARIABLES, Syntax, even, part10, refused

UNKNOWN = [group << 16 | element for group in range(0x3102, 0x3108, 2) for element in range(0x2001, 0x2FFF)]
WORDS = "lesion of the left lobe, seen by Dr. Brzoza on 12.03.2011 and again on 4/5/2012, tel. 555-867-5309. "
PART = 300_000


def image(*elements: bytes, before: bytes = b"", syntax: Syntax = EXPLICIT) -> bytes:
    """A file with these elements behind the usual ones, and `before` them those of group 0008."""
    one = syntax.element
    return part10(
        b"".join((
            one(0x00080016, "UI", even("1.2.840.10008.5.1.4.1.1.2", b"\0")),
            one(0x00080018, "UI", even("1.2.3.4", b"\0")),
            one(0x00080060, "CS", b"CT"),
            before,
            one(0x0020000D, "UI", even("1.2.3.1", b"\0")),
            one(0x0020000E, "UI", even("1.2.3.2", b"\0")),
            *elements,
        )),
        syntax,
    )  # fmt: skip


def deidentifier(residuals: Iterable[Identifier] = ()) -> Deidentifier:
    return Deidentifier(load_recipe("research"), Pseudonyms(KEY), VARIABLES, residuals)


def texts(count: int, length: int, word: str = "plain") -> bytes:
    items = [EXPLICIT.element(0x00081030, "LO", even(f"{word} {n} {WORDS}"[:length])) for n in range(count)]
    return EXPLICIT.sequence(0x00081140, items)


def frames(count: int) -> bytes:
    """Functional groups as an enhanced MR has them."""
    x = EXPLICIT
    groups = [
        x.sequence(0x00189117, [x.element(0x00189087, "FD", struct.pack("<d", n % 8))])
        + x.sequence(0x00209111, [x.element(0x00209157, "UL", struct.pack("<3I", 1, n, n % 7))])
        + x.sequence(0x00209113, [x.element(0x00200032, "DS", even(f"-{n * 0.25:.3f}\\-120.5\\{n * 1.5:.4f}"))])
        + x.sequence(0x00209116, [x.element(0x00200037, "DS", even("1\\0\\0\\0\\1\\0"))])
        for n in range(count)
    ]
    return x.sequence(0x52009230, groups)


# ------------------------------------------------------------------------------------------------- one image

HEAVY: dict[str, Callable[[], bytes]] = {
    "unknown elements at the root": lambda: image(*(EXPLICIT.element(tag, "SH", b"abcd") for tag in UNKNOWN)),
    "unknown elements, implicit": lambda: image(
        *(IMPLICIT.element(tag, "", b"abcd") for tag in UNKNOWN), syntax=IMPLICIT
    ),
    "one unknown element an item": lambda: image(
        before=EXPLICIT.sequence(0x00081140, (EXPLICIT.element(tag, "SH", b"abcd") for tag in UNKNOWN))
    ),
    "descriptions": lambda: image(before=texts(1000, 60)),
    "long texts": lambda: image(before=EXPLICIT.element(0x00081030, "UT", even(WORDS * 1000))),
    "codes that nobody knows": lambda: image(
        before=EXPLICIT.sequence(0x00081140, [EXPLICIT.element(0x00080060, "CS", b"W%07d" % n) for n in range(3000)])
    ),
    "dates": lambda: image(
        before=EXPLICIT.sequence(
            0x00081140, [EXPLICIT.element(0x00080022, "DA", b"%04d0617" % (n % 9999)) for n in range(20000)]
        )
    ),
    "empty items": lambda: image(before=EXPLICIT.sequence(0x00081140, [b""] * 80_000)),
    "the same elements again and again": lambda: image(
        before=EXPLICIT.sequence(
            0x00081140,
            [EXPLICIT.element(0x00080060, "CS") + EXPLICIT.element(0x00200013, "IS")] * 40_000,
        )
    ),
    "sequences within sequences": lambda: image(before=nested(60)),
}


def nested(depth: int) -> bytes:
    inner = EXPLICIT.element(0x00080060, "CS", b"CT")
    for _ in range(depth):
        inner = EXPLICIT.sequence(0x00081140, [inner])
    return EXPLICIT.sequence(0x00081140, [inner] * 1500)


@pytest.mark.parametrize("kind", HEAVY)
def test_what_would_cost_more_than_an_image_may_is_too_large(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The allowance is a part of the real one, for the sake of a quick test."""
    monkeypatch.setattr(budget, "ALLOWANCE", PART)
    began = time.process_time()
    with refused("TooLarge"):
        deidentifier().deidentify(HEAVY[kind]())
    assert time.process_time() - began < 10, "it is refused, but not before the work is done"


def test_a_refused_image_leaves_the_next_one_its_whole_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "ALLOWANCE", PART)
    study = deidentifier()
    for word in ("axial", "coronal", "sagittal"):
        with refused("TooLarge"):
            study.deidentify(image(before=texts(1000, 60, word)))
        assert study.deidentify(image(before=texts(100, 60, word))).tobytes()


def test_functional_groups_may_cost_more_than_other_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "ALLOWANCE", PART // 6)
    groups = frames(2000)
    assert deidentifier().deidentify(image(groups)).tobytes()
    moved = groups.replace(b"\x00\x52\x30\x92SQ", b"\x08\x00\x40\x11SQ", 1)
    with refused("TooLarge"):
        deidentifier().deidentify(image(before=moved))


def test_a_structured_report_of_a_thousand_findings_passes() -> None:
    items = [
        EXPLICIT.element(0x0040A040, "CS", b"TEXT")
        + EXPLICIT.element(0x0040A160, "UT", even(f"lesion {n} of the left lobe, {n % 40} mm, unchanged"))
        for n in range(1000)
    ]
    assert deidentifier().deidentify(image(EXPLICIT.sequence(0x0040A730, items))).tobytes()


# ------------------------------------------------------------------------------------------------- identifiers


def others(ids: Iterable[str]) -> bytes:
    return EXPLICIT.sequence(0x00101002, (EXPLICIT.element(0x00100020, "LO", even(one)) for one in ids))


def test_more_identifiers_than_can_be_looked_for_are_too_large() -> None:
    header = read_header(image(others(f"MRN-{n:08}" for n in range(1001))))
    with refused("TooLarge"):
        extract(header)


def test_175000_identifiers_are_refused_before_they_are_held() -> None:
    began = time.process_time()
    with refused("TooLarge"):
        Collected().add(read_header(image(others(f"MRN-{n:08}" for n in range(175_000)))))
    assert time.process_time() - began < 10


def test_so_are_too_many_items_that_have_none() -> None:
    with refused("TooLarge"):
        extract(read_header(image(EXPLICIT.sequence(0x0040A730, [b""] * 100_001))))


def test_a_thousand_identifiers_of_an_image_are_all_found() -> None:
    ids = [f"MRN-{n:08}" for n in range(identifiers.MOST)]
    assert {one.text for one in extract(read_header(image(others(ids))))} == set(ids)


def test_an_image_that_brings_too_many_into_a_study_is_refused_and_adds_none() -> None:
    study, numbers = Collected(), iter(range(1_000_000))
    while True:
        before = study.all()
        try:
            study.add(read_header(image(others(f"MRN-{n:08}" for n in islice(numbers, 900)))))
        except DataFault as fault:
            assert fault.code == "TooLarge"
            break
    assert study.all() == before
    assert len(before) <= identifiers.MOST_OF_STUDY


# ------------------------------------------------------------------------------------------------- reading


def test_elements_in_disorder_are_not_put_in_order_without_end() -> None:
    backwards = EXPLICIT.element(0x00200013, "IS") + EXPLICIT.element(0x00080060, "CS")
    with refused("TooLarge"):
        deidentifier().deidentify(image(before=EXPLICIT.sequence(0x00081140, [backwards] * 80_000)))


def test_zeros_behind_each_other_are_looked_through_once() -> None:
    """Each could be the padding at the end of the file."""
    zeros = IMPLICIT.element(0, "", b"") * 100_000
    began = time.process_time()
    deidentifier().deidentify(image(zeros, IMPLICIT.element(0x00200060, "", b"R "), syntax=IMPLICIT))
    assert time.process_time() - began < 10
