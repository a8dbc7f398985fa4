"""Risk: against a count by hand, and relations that hold for any rows."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sendit.papers.risk import measure

ROWS = [("a", ("F", "50")), ("b", ("F", "50")), ("b", ("F", "50")), ("b", ("M", "60")), ("c", ("F", "60"))]


def test_by_hand() -> None:
    risk = measure(ROWS)
    assert (risk.patients, risk.k, risk.unique, risk.patients_below(3)) == (3, 1, 2, 3)
    assert [(cell.patients, cell.values) for cell in risk.cells] == [
        (1, ("F", "60")), (1, ("M", "60")), (2, ("F", "50")),
    ]  # fmt: skip
    assert (risk.without(0).k, risk.without(1).k) == (2, 1)


def test_nobody() -> None:
    risk = measure([])
    assert (risk.patients, risk.k, risk.unique, risk.patients_below(5), risk.cells) == (0, 0, 0, 0, [])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.tuples(st.sampled_from("FM"), st.sampled_from("123")))))
def test_less_detail_never_makes_anybody_more_unique(rows: list[tuple[str, tuple[str, str]]]) -> None:
    risk = measure(rows)
    for place in (0, 1):
        coarser = risk.without(place)
        assert coarser.k >= risk.k and coarser.unique <= risk.unique and coarser.patients == risk.patients
    assert risk.patients_below(risk.k) == 0 and risk.patients_below(7) == risk.patients
