"""How else a name is written: without its accents, in Latin letters, cut off, as a login, with one typing error.

The tables are those of ICAO 9303 (part 3, section 6), ISO 9, ISO 843 with ELOT 743, and what is usual in English,
German and French. Knows no patient and no text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import zip_longest

from sendit.deid.identifiers.vocabulary import fold

SHORTEST_CUT = 6
"""Letters from which on the beginning of a name stands for it: the rest did not fit into a field."""
SHORTEST_MISTYPED = 8
_SHORTEST_LOGIN = 5
_LOGIN = 8
"""Letters of the longest login on many systems."""

# ---------------------------------------------------------------------------------------------- Latin with accents

_LATIN = tuple(
    {**dict(zip("äöüåøæßđðþñçşščćžğłőűœ", table.split(), strict=True))}
    for table in (
        "ae oe ue aa oe ae ss dj dh th nn c s s c c z g l o u oe",
        "a o u a o a sz d d th n ch sh sh ch ch zh gh l oe ue o",
        "a o u a o ae ss dj d t ny c sch sch tsch tsch zh g l o u oe",
        "ae oe ue a oe ae ss dz dh th nh ch sh sh ch ty z g w o u oe",
    )
)
_ASCII_AGAIN = (("ae", "a"), ("oe", "o"), ("ue", "u"), ("aa", "a"), ("dj", "d"), ("sz", "ss"))
"""What was written for an accented letter, and that letter without its accent: Mueller, Müller, Muller."""

# ---------------------------------------------------------------------------------------------- Cyrillic and Greek

# fmt: off
_CYRILLIC = "а б в г ґ д ђ е є ё ж з и і ї й ј к л љ м н њ о п р с т ћ у ў ф х ц ч џ ш щ ъ ы ь э ю я ѓ ќ ѕ"
_FROM_CYRILLIC = (
    # ICAO 9303
    "a b v g g d d e ie e zh z i i i i j k l lj m n nj o p r s t c u u f kh ts ch dz sh shch ie y - e iu ia g k dz",
    # ISO 9, without its marks
    "a b v g g d d e e e z z i i i j j k l l m n n o p r s t c u u f h c c d s s - y - e u a g k z",
    # English use, by the boards on geographic names
    "a b v h g d dj e ye yo zh z i i yi y j k l lj m n nj o p r s t c u w f kh ts ch dzh sh shch - y - e yu ya gj kj"
    " dz",
    "a b v g g d dj e ye yo zh z y i yi y j k l lj m n nj o p r s t c u w f h ts ch dzh sh sht a y - e yu ya gj kj dz",
    # German use, French use, the passports of Serbia, Macedonia and Bulgaria
    "a b w g g d dj e je jo sch s i i ji j j k l lj m n nj o p r s t c u u f ch z tsch dsch sch schtsch - y - e ju ja"
    " g k s",
    "a b v gu g d dj e ie io j z i i i i j k l lj m n nj o p r s t c ou ou f kh ts tch dj ch chtch - y - e iou ia g k"
    " dz",
    "a b v g g d dj e je e z z i i ji j j k l lj m n nj o p r s t c u u f h c c dz s st - y - e ju ja gj kj dz",
)
# fmt: on
_GREEK = "α β γ δ ε ζ η θ ι κ λ μ ν ξ ο π ρ σ ς τ υ φ χ ψ ω"
_FROM_GREEK = (
    "a v g d e z i th i k l m n x o p r s s t y f ch ps o",  # ELOT 743 and ICAO 9303
    "a v g d e z i th i k l m n x o p r s s t i f h ps o",  # common use
    "a v y d e z i th i k l m n ks o p r s s t i f kh ps o",
    "a b g d e z e th i c l m n x o p r s s t y ph ch ps o",  # classical
)
_GREEK_PAIRS = (
    {"αυ": "av", "ευ": "ev", "ου": "ou", "μπ": "b", "ντ": "nt", "γκ": "gk", "γγ": "ng", "γχ": "nch"},
    {"αυ": "af", "ευ": "ef", "ου": "u", "μπ": "mp", "ντ": "d", "γκ": "g", "γγ": "g", "γχ": "nh"},
    {"αυ": "au", "ευ": "eu", "ου": "ou", "μπ": "b", "ντ": "d", "γκ": "g", "γγ": "ng", "γχ": "nx"},
)


def _table(letters: str, sounds: str) -> Mapping[int, str]:
    pairs = zip(letters.split(), sounds.split(), strict=True)
    return str.maketrans({letter: sound.replace("-", "") for letter, sound in pairs})


_TABLES = (
    *(str.maketrans(table) for table in _LATIN),
    *(_table(_CYRILLIC, sounds) for sounds in _FROM_CYRILLIC),
)
_GREEK_TABLES = tuple(_table(_GREEK, sounds) for sounds in _FROM_GREEK)
_IS_GREEK = re.compile("[\u0370-\u03ff]")
_IOTATED = re.compile("(?:^|(?<=[аеёиоуыэюяьъ]))е")
"""Where е is often written as ye or je."""
_ENDINGS = ("iyi", "iy", "ii", "ij", "yi", "yy", "yj")
"""How the end of Dostoyevsky and Yuri is also written."""


def romanized(name: str) -> tuple[str, ...]:
    """A word of a name, folded, by each table in turn; as it is where it has no other letters."""
    lowered = name.lower()
    if lowered.isascii():
        return (lowered,)
    if _IS_GREEK.search(lowered):
        return tuple(_from_greek(fold(name)))
    iotated = _IOTATED.sub("є", lowered)
    return tuple(fold(word.translate(table)) for word in dict.fromkeys((lowered, iotated)) for table in _TABLES)


@lru_cache(maxsize=4096)
def spellings(name: str) -> frozenset[str]:
    """A word of a name, folded, in each way in which it is written in Latin letters; its own way among them."""
    found = {fold(name), *romanized(name)}
    if name.isascii():
        found.update(word.replace(pair, letter) for word in tuple(found) for pair, letter in _ASCII_AGAIN)
    found.update(other for word in tuple(found) for other in _with_other_endings(word))
    return frozenset(word for word in found if word)


def _from_greek(folded: str) -> Iterator[str]:
    for table in _GREEK_TABLES:
        for pairs in _GREEK_PAIRS:
            text = folded
            for pair, sound in pairs.items():
                text = text.replace(pair, sound)
            yield text.translate(table)


def _with_other_endings(word: str) -> Iterator[str]:
    ending = next((one for one in _ENDINGS if word.endswith(one)), None)
    if ending is not None:
        yield from (word.removesuffix(ending) + instead for instead in ("y", "i"))


def logins(one: str, other: str) -> Iterator[str]:
    """What a login or a label is made of two words of a name: jsmith, smithj, janesmi, smijan, as it is cut off."""
    made = (
        one[0] + other[: _LOGIN - 1], one[: _LOGIN - 1] + other[0], one[:6] + other[:2], one[:5] + other[:3],
        one[:4] + other[:4], one[:3] + other[:3], one[:2] + other[:6], one[:3] + other, one[:2] + other, one[0] + other,
        one + other[0], one + other[:2],
    )  # fmt: skip
    return (login for login in made if len(login) >= _SHORTEST_LOGIN)


def is_mistyped(word: str, name: str) -> bool:
    """Whether one letter is missing, too many or another one, or two stand the wrong way round."""
    if word == name or abs(len(word) - len(name)) > 1 or min(len(word), len(name)) < SHORTEST_MISTYPED - 1:
        return False
    at = next(at for at, (a, b) in enumerate(zip_longest(word, name)) if a != b)
    rest, wanted = word[at:], name[at:]
    return (
        rest[1:] == wanted[1:]
        or rest[1:] == wanted
        or rest == wanted[1:]
        or (rest[2:] == wanted[2:] and rest[:2] == wanted[1::-1])
    )
