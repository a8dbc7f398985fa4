"""What words are: of the clinic or the protocol, names of people, eponyms. Knows single words, no text and no patient."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from pathlib import Path

LONGEST = 48
"""Letters of the longest word that is looked at closely."""

_FOLDER = Path(__file__).with_name("words")
_LETTERS = str.maketrans({"ß": "ss", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})


def fold(text: str) -> str:
    """The text in lower case without accents: `Müller` and `MULLER` are one."""
    lowered = text.lower()
    if lowered.isascii():
        return lowered
    parts = unicodedata.normalize("NFKD", lowered.casefold().translate(_LETTERS))
    return "".join(part for part in parts if not unicodedata.combining(part))


def _words(name: str) -> frozenset[str]:
    lines = (_FOLDER / f"{name}.txt").read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


@cache
def protocol_words() -> frozenset[str]:
    """What technologists and physicians write in descriptions, in several languages, and plain English."""
    return frozenset(map(fold, _words("protocol")))


@cache
def _clinical_words() -> frozenset[str]:
    return _words("clinical") | protocol_words()


@cache
def _names() -> frozenset[str]:
    return _words("names")


@cache
def _eponyms() -> tuple[frozenset[str], frozenset[str]]:
    """Those that stand alone, and those that are common surnames, too."""
    words = _words("eponyms")
    return frozenset(w for w in words if w[-1] != "*"), frozenset(w[:-1] for w in words if w[-1] == "*")


@cache
def script_words() -> frozenset[str]:
    """Words in scripts other than Latin."""
    return frozenset(map(fold, _words("scripts")))


# ---------------------------------------------------------------------------------------------- one word

_CLINICAL = re.compile(
    ".{3,}(?:itis|itides|omas?|omata|ectom(?:y|ies)|otomy|ostomy|plasty|graph(?:y|ic)|grams?|scop(?:y|ic)|path(?:y|ic)"
    "|a?emia|uria|algia|megaly|ectas[ie]s|ectatic|lysis|lytic|troph(?:y|ic)|genic|plegia|phagia|pnea|cele|stenosis"
    "|sclerosis|osis|oses|penia|iasis|pelvic|costal|spinal|vertebral|venous|arterial|muscular|articular|cranial|hepatic"
    "|renal|thoracic)"
)
"""Words that end like terms of medicine."""
_ENDINGS = ("'s", "es", "ed", "ing", "ly", "en", "s", "d", "n", "e")
_JOINED = frozenset("abd ant axi cap chst cor cta dyn fse inf lat mip mpr nac non pel pet pre sag sub sup tra tse wbc".split())
_SHORTEST_JOINED = 4


@lru_cache(maxsize=65536)
def is_known(word: str) -> bool:
    """Whether a folded word is of the clinic, of a protocol or plain English, and so no evidence of a name."""
    if _is_listed(word):
        return True
    if len(word) > LONGEST or word in _names():
        return False
    if not word.isascii():
        return word in script_words()
    return _CLINICAL.fullmatch(word) is not None or _is_inflected(word) or _is_compound(word)


def _is_listed(word: str) -> bool:
    return word in _clinical_words() or word in _eponyms()[0]


def _is_inflected(word: str) -> bool:
    stems = (word[: -len(ending)] for ending in _ENDINGS if word.endswith(ending))
    return any(len(stem) >= 4 and _is_listed(stem) for stem in stems)


def _is_compound(word: str) -> bool:
    """Whether it is made of known words, as abdpelvis and thoraxroutine are."""
    reachable = {0}
    for end in range(3, len(word) + 1):
        if any(_may_be_joined(word[at:end]) for at in reachable):
            reachable.add(end)
    return len(word) in reachable


def _may_be_joined(part: str) -> bool:
    return part in _JOINED or (len(part) >= _SHORTEST_JOINED and part in _clinical_words())


def is_name(word: str) -> bool:
    """Whether a folded word is a common given name or surname; it may be another word, too."""
    return word in _names()


def is_eponym(word: str) -> bool:
    """Whether a folded word is a surname that also names a disease or the like, where a word behind it says so."""
    return word in _eponyms()[1]
