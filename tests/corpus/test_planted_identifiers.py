"""The corpora of planted identifiers, and their bars: no leak, 99.9 % of all checks, nothing technical lost."""

from __future__ import annotations

import pytest

from sendit.deid import Recipe
from sendit.deid.recipe.recipe import parse_recipe
from tests.corpus.checks import Category
from tests.corpus.corpus import examined, under_research
from tests.corpus.developed import DEVELOPED
from tests.corpus.held_out import HELD_OUT
from tests.corpus.wording import Wording

ALL_CHECKS, CLINICAL_WORDS = 0.999, 0.98
WORDINGS = [
    pytest.param(wording, marks=pytest.mark.xdist_group(wording.name), id=wording.name)
    for wording in (DEVELOPED, HELD_OUT)
]


@pytest.mark.parametrize("wording", WORDINGS)
def test_no_planted_identifier_is_in_any_output_or_row(wording: Wording) -> None:
    score = under_research(wording.name).score
    assert score.made[Category.NO_LEAK] > 1000
    assert score.passed[Category.NO_LEAK] == score.made[Category.NO_LEAK], f"\n{score}"


@pytest.mark.parametrize("wording", WORDINGS)
def test_of_all_checks_999_in_a_thousand_pass(wording: Wording) -> None:
    score = under_research(wording.name).score
    assert all(score.made[category] for category in Category)
    assert score.share() >= ALL_CHECKS, f"\n{score}"


@pytest.mark.parametrize("wording", WORDINGS)
def test_what_is_technical_stays_and_what_is_clinical_nearly(wording: Wording) -> None:
    score = under_research(wording.name).score
    technical = (Category.VALUE_RETAINED, Category.TAG_RETAINED, Category.PIXELS_UNCHANGED)
    assert score.share(*technical) == 1, f"\n{score}"
    assert score.share(Category.TEXT_RETAINED) >= CLINICAL_WORDS, f"\n{score}"


@pytest.mark.parametrize("wording", WORDINGS)
def test_uids_dates_and_patients_are_the_same_everywhere(wording: Wording) -> None:
    score = under_research(wording.name).score
    relations = (Category.UID_CHANGED, Category.UID_CONSISTENT, Category.PATIENT_ID_CONSISTENT)
    assert score.share(*relations) == 1, f"\n{score}"


# ---------------------------------------------------------------------------------------------- it can fail


def header(*rules: str) -> Recipe:
    return parse_recipe("\n".join(["FORMAT dicom", "%header", *rules]))


FLAWED = {
    "keeps all": (
        header("KEEP ALL"),
        {Category.TEXT_REMOVED, Category.DATE_SHIFTED, Category.UID_CHANGED, Category.NO_LEAK},
    ),
    "removes all": (header("REMOVE ALL"), {Category.TEXT_RETAINED, Category.VALUE_RETAINED, Category.TAG_RETAINED}),
}


@pytest.mark.parametrize("flaw", FLAWED)
def test_the_checks_tell_a_recipe_that_does_not_do_it(flaw: str) -> None:
    recipe, failing = FLAWED[flaw]
    score = examined(DEVELOPED, recipe, studies=2, proven=False).score
    assert {category for category in failing if score.share(category) > 0.5} == set()
