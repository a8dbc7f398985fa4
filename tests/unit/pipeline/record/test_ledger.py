"""The account of every file."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendit.errors import BrokenPromise, DataFault
from sendit.pipeline.record.ledger import Ledger, tag_text
from sendit.pipeline.record.member import Member
from sendit.pipeline.record.models import Outcome

MEMBER = Member("a", offset=0, length=1, sha256="0f" * 32, size_bytes=1)
DIGEST = bytes(range(32))


@given(st.lists(st.sampled_from(["deliver", "filter", "fail", "open"]), max_size=30))
def test_found_is_delivered_and_filtered_and_errored_whatever_happens(steps: list[str]) -> None:
    ledger = Ledger(len(steps))
    for number, step in enumerate(steps, 1):
        if step == "deliver":
            ledger.deliver(number, MEMBER, 1, DIGEST, DIGEST)
        elif step == "filter":
            ledger.filter(number, "a rule")
        elif step == "fail":
            ledger.fail(number, DataFault("NotDicom"), "import")
    if "open" in steps:
        with pytest.raises(BrokenPromise, match="Unaccounted"):
            ledger.counts()
        ledger.fail_rest(DataFault("MixedPatients"), "import")
        assert ledger.count(Outcome.DELIVERED) == 0
    counts = ledger.counts()
    assert counts["found"] == counts["delivered"] + counts["filtered"] + counts["errored"] == len(steps)
    assert counts["filtered"] == steps.count("filter")
    assert counts["errored"] == sum(error["count"] for error in ledger.errors())
    assert [image["number"] for image in ledger.images()] == list(range(1, len(steps) + 1))


def test_a_file_has_one_outcome() -> None:
    ledger = Ledger(1)
    ledger.filter(1, "a rule")
    with pytest.raises(BrokenPromise, match="Unaccounted"):
        ledger.deliver(1, MEMBER, 1, DIGEST, DIGEST)


@pytest.mark.parametrize("number", [0, 2])
def test_a_file_that_was_not_found_has_none(number: int) -> None:
    with pytest.raises(BrokenPromise, match="Unaccounted"):
        Ledger(1).filter(number, "a rule")


def test_alike_errors_are_counted_together() -> None:
    ledger = Ledger(3)
    ledger.fail(1, DataFault("BadElement", tag=0x00100020), "import")
    ledger.fail(2, DataFault("NotDicom"), "import")
    ledger.fail(3, DataFault("BadElement", tag=0x00100020), "import")
    assert ledger.errors() == [
        {"code": "BadElement", "tag": "0010,0020", "count": 2, "stage": "import"},
        {"code": "NotDicom", "tag": "", "count": 1, "stage": "import"},
    ]


def test_a_tag_is_written_as_the_standard_writes_it() -> None:
    assert (tag_text(0x7FE00010), tag_text(None)) == ("7FE0,0010", "")


@given(
    st.integers(0, 1 << 60),
    st.integers(0, 1 << 40),
    st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=80),
    st.integers(1, 1 << 20),
    st.none() | st.binary(min_size=16, max_size=32),
)
def test_a_delivered_image_has_the_row_that_it_was_delivered_with(
    offset: int, size_bytes: int, name: str, part: int, instance_digest: bytes | None
) -> None:
    ledger = Ledger(1)
    ledger.deliver(1, Member(name, offset, 7, "0f" * 32, size_bytes), part, instance_digest, DIGEST)
    (row,) = ledger.images()
    assert row == {
        "number": 1,
        "outcome": Outcome.DELIVERED,
        "rule": "",
        "code": "",
        "tag": "",
        "member": name,
        "sha256": "0f" * 32,
        "size_bytes": size_bytes,
        "offset": offset,
        "length": 7,
        "part": part,
        "instance_digest": instance_digest,
        "content_digest": DIGEST,
        "review_digest": None,
        "proposed": None,
    }


def test_an_image_takes_little_memory_for_there_may_be_a_hundred_thousand() -> None:
    count = 2_000
    ledger = Ledger(count)
    tracemalloc.start()
    try:
        for number in range(1, count + 1):
            member = Member(f"bq35i5ef3rhdbv4e_1_{number}.dcm", number << 20, 70_000, f"{number:064x}", 90_000)
            ledger.deliver(number, member, 1, number.to_bytes(32, "big"), number.to_bytes(32, "little"))
        assert tracemalloc.get_traced_memory()[0] < 450 * count
    finally:
        tracemalloc.stop()
