"""Clean Descriptors: no identifier is left, in whatever form it stands in a description; the clinical words are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from sendit.deid.descriptors import Cleaner
from sendit.deid.vocabulary import fold
from tests.corpora.descriptors import DAYS, HELD_OUT, MADE_WITH, PATTERNS, Somebody, descriptions

RETAINED = 0.98
CORPORA = {"descriptions": MADE_WITH, "descriptions_held_out": HELD_OUT}
PLACES = (
    "{planted} {text}",
    "{text} {planted}",
    "{text}, {planted}",
    "{text} ({planted})",
    "{planted}_{text}",
    "{text}/{planted}",
)


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"[^\W\d_]+|\d+(?:[.,]\d+)*", fold(text)))


def kept(before: str, after: str) -> tuple[int, int]:
    """How many of the words and numbers of a text are left, and how many there were."""
    wanted = words(before)
    return (wanted & words(after)).total(), wanted.total()


def share_kept(pairs: Iterator[tuple[str, str]]) -> float:
    counts = [kept(before, after) for before, after in pairs]
    return sum(left for left, _ in counts) / sum(all_ for _, all_ in counts)


def planted_texts(texts: Sequence[str], people: Sequence[Somebody]) -> Iterator[tuple[Somebody, str, str, list[str]]]:
    """Who, the description, the description with something planted, and what of it must not be left."""
    for who, somebody in enumerate(people):
        for number, (planted, secrets) in enumerate([*somebody.planted(), *PATTERNS]):
            text, place = texts[(number * 7 + who * 31) % len(texts)], PLACES[number % len(PLACES)]
            yield somebody, text, place.format(text=text, planted=planted), secrets


def stands_in(secret: str, text: str) -> bool:
    """Whether it stands in a text, with whatever between its letters and digits, and not as a part of a word."""
    run = r"[\W_]*".join(map(re.escape, re.findall(r"[^\W_]", fold(secret))))
    return re.search(rf"(?<![^\W_]){run}(?![^\W_])", fold(text)) is not None


@pytest.mark.parametrize("corpus", CORPORA)
def test_descriptions_in_which_nobody_is_named_stay(corpus: str) -> None:
    cleaners = [Cleaner((), DAYS), *(Cleaner(somebody.identifiers, DAYS) for somebody in CORPORA[corpus][:1])]
    pairs = ((text, cleaner.clean(text)) for cleaner in cleaners for text in descriptions(corpus))
    assert share_kept(pairs) >= RETAINED


@pytest.mark.parametrize("corpus", CORPORA)
def test_nothing_that_is_planted_in_a_description_is_left(corpus: str) -> None:
    left = []
    for somebody, _, text, secrets in planted_texts(descriptions(corpus), CORPORA[corpus]):
        cleaned = Cleaner(somebody.identifiers, DAYS).clean(text)
        left += [(text, cleaned) for secret in secrets if stands_in(secret, cleaned)]
    assert left == []


@pytest.mark.parametrize("corpus", CORPORA)
def test_beside_what_is_planted_the_clinical_words_stay(corpus: str) -> None:
    pairs = (
        (text, Cleaner(somebody.identifiers, DAYS).clean(planted))
        for somebody, text, planted, _ in planted_texts(descriptions(corpus), CORPORA[corpus])
        if somebody.name.split("^")[0] not in ("Parkinson", "White", "Crohn")
    )
    assert share_kept(pairs) >= RETAINED
