"""Ages of 90 and more, and days in other calendars, as people write them; what looks like them stays."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sendit.deid.identifiers.descriptors import Cleaner
from tests.clinical_texts import descriptors

TELLING = re.compile(
    r"9[1-9]|10[14]|ninet|nonag|neunzig|centen|hundred|quatorze|novant|noventa|negentig|девян|90(?!\+)", re.IGNORECASE
)


def listed(heading: str) -> list[str]:
    """What stands below a heading of the file."""
    _, _, behind = (Path(descriptors.__file__).with_name("ages_and_calendars.txt").read_text("utf-8")).partition(
        f"\n# {heading}\n"
    )
    return behind.partition("\n# ")[0].splitlines()


CLEANERS = {days: Cleaner((), days) for days in (5, None)}


@pytest.mark.parametrize("pattern", ["{}", "CT chest {}", "{}, fall"])
@pytest.mark.parametrize("age", listed("AGES"))
def test_an_age_of_the_very_old_goes(age: str, pattern: str) -> None:
    left = CLEANERS[5].clean(pattern.format(age)).replace("90+", "")
    assert TELLING.search(left) is None


@pytest.mark.parametrize("text", listed("NO_AGES"))
def test_what_is_no_age_of_the_very_old_stays(text: str) -> None:
    assert CLEANERS[5].clean(f"CT chest {text}") == f"CT chest {text}"


@pytest.mark.parametrize("days", [5, None])
@pytest.mark.parametrize("day", listed("DAYS"))
def test_a_day_in_another_calendar_goes(day: str, days: int | None) -> None:
    left = CLEANERS[days].clean(f"CT chest {day}").removeprefix("CT chest").strip()
    assert re.search(r"\d", left) is None


@pytest.mark.parametrize("day", ["31.I.2020", "31 I 2020", "31-I-2020", "31. I. 2020", "31/I/2020"])
def test_a_day_whose_month_is_a_roman_number_is_shifted(day: str) -> None:
    assert (
        CLEANERS[5]
        .clean(f"CT chest {day}")
        .replace(" ", "")
        .endswith(day.replace("31", "05").replace("I", "II").replace(" ", ""))
    )
    assert CLEANERS[None].clean(f"CT chest {day}") == "CT chest"


@pytest.mark.parametrize("text", listed("NO_DAYS"))
def test_what_is_no_day_stays(text: str) -> None:
    assert CLEANERS[5].clean(f"CT chest {text}") == f"CT chest {text}"
