"""Ages above a limit are one age."""

from __future__ import annotations

import pytest

from sendit.deid.identifiers.ages import cap_age


@pytest.mark.parametrize(
    ("age", "capped"),
    [
        ("045Y", "045Y"),
        ("089Y", "089Y"),
        ("090Y", "090Y"),
        ("091Y", "090Y"),
        ("101Y", "090Y"),
        ("011M", "011M"),
        ("999D", "999D"),
        ("018W ", "018W"),
        ("000Y", "000Y"),
        ("999M", "999M"),
        ("", ""),
        ("45", ""),
        ("born 1930", ""),
    ],
)
def test_an_age_is_capped(age: str, capped: str) -> None:
    assert cap_age(age) == capped


def test_the_limit_may_be_another() -> None:
    assert (cap_age("080Y", 79), cap_age("979M", 79), cap_age("079Y", 79)) == ("080Y", "080Y", "079Y")
