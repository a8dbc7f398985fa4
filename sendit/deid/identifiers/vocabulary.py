"""What words are: of the clinic or the protocol, names of people, eponyms. Knows single words, no text and nobody.

The lists are in `words/`, each with its source; they are read when first asked for.
"""

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


@cache
def plain_lines(name: str) -> tuple[str, ...]:
    """The lines of one of the lists, as they are written."""
    return tuple(line for line in (_FOLDER / f"{name}.txt").read_text("utf-8").splitlines() if not line.startswith("#"))


@cache
def listed(name: str) -> frozenset[str]:
    """The words of one of the lists, folded. A * behind a word says what the list's head says of it."""
    return frozenset(fold(" ".join(plain_lines(name))).split())


@cache
def plain(name: str) -> frozenset[str]:
    """Those without a *."""
    return frozenset(word for word in listed(name) if word[-1] != "*")


@cache
def starred(name: str) -> frozenset[str]:
    """Those with a *, which is left off."""
    return frozenset(word[:-1] for word in listed(name) if word[-1] == "*")


@cache
def either(name: str) -> frozenset[str]:
    """All, each without its *."""
    return plain(name) | starred(name)


# ---------------------------------------------------------------------------------------------- one word

_CLINICAL = re.compile(
    ".{3,}(?:itis|itides|omas?|omata|ectom(?:y|ies)|otomy|ostomy|plasty|graph(?:y|ic)|grams?|scop(?:y|ic)|path(?:y|ic)"
    "|a?emia|uria|algia|megaly|ectas[ie]s|ectatic|lysis|lytic|troph(?:y|ic)|genic|plegia|phagia|pnea|cele|stenosis"
    "|sclerosis|osis|oses|penia|iasis|pelvic|costal|spinal|vertebral|venous|arterial|muscular|articular|cranial|hepatic"
    "|renal|thoracic|gra(?:ph|f)i[ae]n?|s[ck]opi[ae]n?|metri[ae]|e[ck]tomi[ae]|otomi[ae]|plasti[ae]|megali[ae]|patia)"
    "|(?:ver|be|er|ent|an|ab|aus|auf|ein|unter|durch|vor|nach)[a-z]{3,}ung(?:en)?"
)
"""Words that are formed like terms of medicine."""
_ENDINGS = ("es", "ed", "ing", "ly", "en", "s", "d", "n", "e")
_SHORTEST_STEM = _SHORTEST_JOINED = 4
_SHORTEST_COMPOUND = 8


@lru_cache(maxsize=65536)
def is_known(word: str) -> bool:
    """Whether a folded word is of the clinic, of a protocol or plain English, and so no evidence of a name."""
    if is_listed(word):
        return True
    if len(word) > LONGEST or is_name(word):
        return False
    if not word.isascii():
        return word in either("scripts")
    return _CLINICAL.fullmatch(word) is not None or _is_inflected(word) or _is_compound(word)


def is_listed(word: str) -> bool:
    """Whether a list has a folded word as it is: it is not merely formed like one that is known."""
    return word in listed("protocol") or word in listed("clinical") or word in plain("eponyms")


def _is_inflected(word: str) -> bool:
    stems = (word[: -len(ending)] for ending in _ENDINGS if word.endswith(ending))
    return any(len(stem) >= _SHORTEST_STEM and is_listed(stem) for stem in stems)


def _is_compound(word: str) -> bool:
    """Whether it is made of known words, as abdpelvis and thoraxroutine are, or a German or Dutch compound."""
    return _is_joined(word) or (len(word) >= _SHORTEST_COMPOUND and _is_linked(_without_umlauts(word)))


def _is_joined(word: str) -> bool:
    reachable = {0}
    for end in range(3, len(word) + 1):
        if any(_may_be_joined(word[at:end]) for at in reachable):
            reachable.add(end)
    return len(word) in reachable


def _is_linked(word: str) -> bool:
    """Whether it is parts of compounds, with or without what links them, or has the name of a finding at its end."""
    if any(word[at:] in starred("compounds") for at in range(3, len(word) - 5)):
        return True
    reachable = {0}
    for end in range(3, len(word) + 1):
        if any(word[at + len(link) : end] in either("compounds") for at in reachable for link in _links(word, at)):
            reachable.add(end)
    return len(word) in reachable


def _links(word: str, at: int) -> list[str]:
    """What may stand between two parts: nothing, or an ending of the first; nothing at the beginning."""
    return ["", *(link for link in ("s", "n", "en", "es", "er", "e") if word.startswith(link, at))] if at else [""]


def _without_umlauts(word: str) -> str:
    """As `fold` leaves umlauts: aerzte as arzte."""
    return word.replace("ae", "a").replace("oe", "o").replace("ue", "u")


def _may_be_joined(part: str) -> bool:
    if len(part) < _SHORTEST_JOINED:
        return part in listed("joined")
    return part in listed("protocol") or part in listed("clinical")


def is_name(word: str) -> bool:
    """Whether a folded word is a common given name or surname; it may be another word, too."""
    return word in listed("names")


def is_eponym(word: str) -> bool:
    """Whether a folded word is a surname that also names a disease or the like, where a word behind it says so."""
    return word in starred("eponyms")


_SURNAME = re.compile(
    ".{2,}(?:[sc]k[iy]|[sc]ka|wicz|czyk|czak|enko|chuk|evich|ovich|ovic|evic|poulos|akis|idis|oglu|shvili|dottir|sdotter"
    "|ss?on|escu|eanu|inen|borg|qvist|quist|strom|gaard|huis|wijk|veld|sztejn|stein|feld|meier|meyer|maier|mayer|hofer"
    "|bauer|huber|acchi|ucci|etti|elli|ellini|yan|anyan|enyan|ovsky|evsky|ovskaya|evskaya|awala|walla|singham|murthy|reddy"
    "|swamy|dze|nejad|zadeh|pour)"
)
_SHORTEST_SURNAME = 7


def is_formed_as_surname(word: str) -> bool:
    """Whether a folded word ends as surnames of some country do, and is no known word."""
    return len(word) >= _SHORTEST_SURNAME and _SURNAME.fullmatch(word) is not None and not is_known(word)
