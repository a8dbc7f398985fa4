"""Ages above a limit are one age."""

from __future__ import annotations

import pytest

from sendit.deid.identifiers.ages import cap_age, cap_ages_in, years_of_birth


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


@pytest.mark.parametrize(
    "text",
    [
        *(
            "95 yo",
            "95yo",
            "95 y/o F",
            "95 y.o.",
            "095Y",
            "101-year-old",
            "95 yrs",
            "95-jährig",
            "95-jährige",
            "95 Jahre",
            "95 J.",
        ),
        *(
            "95 ans",
            "95 años",
            "95 anos",
            "95 anni",
            "95 jaar",
            "95-jarige",
            "95 år",
            "95 lat",
            "95 let",
            "95 лет",
            "95歳",
        ),
        *("95F", "95M", "95/F", "F/95", "95 / m", "95 female", "age 95", "Age: 95", "aged 95", "ninety-five year old"),
    ],
)
def test_an_age_of_the_very_old_in_a_text_is_one_age(text: str) -> None:
    capped = cap_ages_in(f"CT {text} chest")
    assert "95" not in capped and "101" not in capped and "five" not in capped and "90+" in capped
    assert cap_ages_in(capped) == capped


@pytest.mark.parametrize(
    "text",
    [
        *(
            "89 yo",
            "45 years",
            "95 mm",
            "FOV 95",
            "95%",
            "95 deg",
            "Tc 99m",
            "TC 99M MDP",
            "100F",
            "120M",
            "average 95",
            "T 95 ms",
        ),
        *("1.95 y", "195 images", "95x95", "page 95"),
    ],
)
def test_other_numbers_are_no_ages(text: str) -> None:
    assert cap_ages_in(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "b. 1925",
        "born 1925",
        "born in 1925",
        "geb. 1925",
        "Jg. 1925",
        "née en 1925",
        "nacido en 1925",
        "*1925",
        "DOB: 1925",
    ],
)
def test_a_year_of_birth_is_found_whole(text: str) -> None:
    assert list(years_of_birth(f"x {text} y")) == [(2, 2 + len(text))]


@pytest.mark.parametrize("text", ["in 1925", "2*1925", "b 1925", "newborn 2011", "1925"])
def test_another_year_is_none_of_birth(text: str) -> None:
    assert not list(years_of_birth(f"x {text} y"))
