"""Descriptions in other languages and scripts: their words stay, and names of people that no header knows go."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from sendit.deid.identifiers.descriptors import Cleaner
from tests.clinical_texts import descriptors

FOLDER = Path(descriptors.__file__).parent
RETAINED = 0.99


def by_language(name: str) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    language = ""
    for line in (FOLDER / f"{name}.txt").read_text("utf-8").splitlines()[1:]:
        if line.startswith("# "):
            language = line[2:]
        elif line:
            found[language].append(line)
    return found


TEXTS = {
    (name, language): lines
    for name in ("scripts", "scripts_more", "languages")
    for language, lines in by_language(name).items()
}
NAMES = [
    (language, name)
    for language, lines in by_language("script_names").items()
    for line in lines
    for name in line.split("|")
]
CLEANER = Cleaner((), days=5)


def letters(text: str) -> int:
    return len(re.findall(r"[^\W\d_]", text))


@pytest.mark.parametrize(("name", "language"), TEXTS)
def test_nearly_all_of_a_description_stays(name: str, language: str) -> None:
    texts = TEXTS[name, language]
    left = sum(letters(CLEANER.clean(text)) for text in texts)
    assert left >= RETAINED * sum(map(letters, texts)), [text for text in texts if CLEANER.clean(text) != text]


@pytest.mark.parametrize("pattern", ["{}", "CT {}", "{} MRI", "T2 {} 5mm"])
@pytest.mark.parametrize(("language", "name"), NAMES)
def test_a_name_goes(language: str, name: str, pattern: str) -> None:
    assert CLEANER.clean(pattern.format(name)).isascii(), language


@pytest.mark.parametrize(("language", "name"), NAMES)
def test_a_name_goes_from_a_description_of_its_language(language: str, name: str) -> None:
    for text in TEXTS["scripts", language]:
        left = CLEANER.clean(f"{text}, {name}")
        assert name not in left
        assert all(part not in left or part in text for part in name.split() if len(part) > 1)


SURNAMES = [
    "Steinmeier",
    "Kleinschmidt",
    "Beinhauer",
    "Knochenhauer",
    "Kopfmann",
    "Lungershausen",
    "Magenheimer",
    "Nagelsmann",
    "Rippenberger",
    "Augenstein",
    "Steinbrecher",
    "Armbruster",
    "Unterberger",
    "Oberhauser",
    "Hinterseer",
    "Vordermayer",
    "Schlagenhauf",
    "Ringelstetter",
    "Haberkorn",
    "Winkelmann",
    "Feuerstein",
    "Eisenstein",
    "Kammerer",
    "Schildknecht",
    "Weichselbaum",
    "Vandenbergh",
    "Steenbergen",
    "Bloemendaal",
    "Goldwasser",
    "Zahnbrecher",
    "Breitkopf",
    "Langbein",
    "Krummholz",
    "Weissenborn",
]


@pytest.mark.parametrize("name", SURNAMES)
def test_a_surname_that_sounds_like_a_compound_is_no_word(name: str) -> None:
    assert name not in CLEANER.clean(f"{name}, MRT Schädel")
