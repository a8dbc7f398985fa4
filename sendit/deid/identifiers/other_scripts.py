"""Scripts other than Latin: what is no known word of descriptions there, and may be a name."""

# How it is told that a word may be a name differs by script:
#   - Ideographs and kana follow each other without spaces. The longest known words are taken out. What is left goes if
#     it is kana or has an ideograph of which names are made: the first of a Chinese surname, one of a Japanese name.
#   - Hangul and Thai are written together, too. A run of Hangul goes unless it is made of known words, or what is left
#     of it begins with no syllable with which Korean names do; a run of Thai unless it is made of known words.
#   - Cyrillic, Greek and Arabic words are inflected: a stem with a * in the list stands for itself and any of the
#     endings below. Endings of surnames (-ов, -ин, -ский, -ίδης) are not among them.
#   - A Cyrillic or Greek word that is not known goes if it has a capital, is a given name or ends as surnames do.
#   - In Arabic and Hebrew an article or a particle stands before the word, joined to it; what is not known goes.

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

from sendit.deid.identifiers.vocabulary import LONGEST, either, fold, plain, plain_lines, starred

Span = tuple[int, int]

_OTHER = re.compile(
    "[\u0370-\u1cff\u1f00-\u1fff\u2c00-\ua6ff\ua880-\ud7ff\uf900-\ufaff\ufb1d-\ufdff\ufe70-\ufeff\uff66-\uffdc\U00010000-\U0003ffff]+"
)
"""Runs of letters of other scripts, from Greek to the ideographs."""
_WITHOUT_SPACES = re.compile("[\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]+")
"""Runs in which words follow each other without spaces: ideographs and kana."""
_JOINED = re.compile("[\u0e00-\u0e7f]+|[\u1100-\u11ff\u3130-\u318f\uac00-\ud7ff]+")
"""Thai and Hangul."""
_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7ff]+")
_KANA = re.compile("[\u3040-\u30ff\uff66-\uff9f]{3,}")
LONGEST_KOREAN_NAME = 4
"""Syllables."""
_CASED = re.compile("[\u0370-\u03ff\u0400-\u052f\u1f00-\u1fff]+")
_ENDS_AS_SURNAME = re.compile(
    ".+(?:ов|ев|ова|ева|ову|еву|ына|ин|ина|ын|скии|ская|скии|ского|скому|ской|енко|чук|юк|ко|вич|вна|вны|вне|ян|дзе|швили"
    "|оглы|οπουλος|οπουλου|ακης|ακη|ιδης|ιδου|αδης|αδου|ιου|ελης|ογλου|ατος|εας)"
)


def _endings(text: str) -> re.Pattern[str]:
    return re.compile("|".join(sorted({fold(ending) for ending in text.split()}, key=len, reverse=True)) + "|")


_ENDINGS = {
    re.compile("[\u0400-\u052f]"): _endings(
        "а я ы и у ю е о ь й ой ей ом ем ам ям ами ями ах ях ый ий ая яя ое ее ые ие ого его ому ему ым им ых их ую юю"
        " ыми ими ью ия ии ию ией иям иях иями ние ния нию нием ний ние ость ости остью но ный ная ное ные ного ной"
        " ному ным ных ными ную і ї ію ії ою ею ої ій їй ам ів ей ті та то те ът ят ция ции цию цией ций ка ки ку кой"
    ),
    re.compile("[\u0370-\u03ff\u1f00-\u1fff]"): _endings(
        "α ας ες η ης ο ου οι ον ων ος ους ι ια ιας ιες ιο ιου ιων ιος ιοι ιους ικη ικης ικο ικου ικα ικες ικων ικος"
        " ικοι υ υς ως ωση ωσης ωσεις ση σης σεις ση ξη ξης ξεις ψη ψης ψεις τα τος των μα ματα ματος εις εως ε ς"
    ),
    re.compile("[\u0600-\u06ff]"): _endings("ة ه ات ي ية ين ان ون اء ى ا"),
}
"""What may stand behind a stem, by script."""
_MAY_BE_NAMES = frozenset(
    "高橋中小大上下内前後长長新白石水口山川原村本田井野島林森金木平安和星王李张陈刘何罗梁宋于谢韩唐骨手足目耳舌"
)
"""Ideographs that are words by themselves, and of which names are made: by themselves they tell nothing."""
_INITIALS = re.compile(r"(?:\s*[^\W\d_]\.){1,3}")
_INITIALS_BEFORE = re.compile(r"(?:[^\W\d_]\.\s*){1,3}$")
_PREFIXES = re.compile("(?:وال|بال|لل|ال|[وبلكف])(?=..)|[הובלמשכ](?=..)")
"""What may be joined to the beginning of a word in Arabic and Hebrew."""


def unknown_words(text: str) -> Iterator[Span]:
    """Where words stand that are not known and may be names, with initials beside them; not asked of Latin ones."""
    if text.isascii():
        return
    for run in _OTHER.finditer(text):
        unspaced = list(_WITHOUT_SPACES.finditer(run[0]))
        if not unspaced and not is_known_elsewhere(fold(run[0])) and _may_be_name(run[0]):
            yield _with_initials(text, *run.span())
        for part in unspaced:
            yield from _unknown_parts(part[0], run.start() + part.start())


def _may_be_name(word: str) -> bool:
    """Whether a word that is not known may be somebody's name."""
    if _HANGUL.fullmatch(word):
        begins = {begin for begin, _ in _words_of(word)[1]} | ({0} if len(word) <= LONGEST_KOREAN_NAME else set())
        return any(word[begin] in _characters() for begin in begins)
    if not _CASED.fullmatch(word):
        return True
    folded = fold(word)
    return not word.islower() or folded in plain("script_names") or _ENDS_AS_SURNAME.fullmatch(folded) is not None


@cache
def _characters() -> frozenset[str]:
    """Ideographs and syllables of names."""
    lines = (part for part in plain_lines("script_names") if not _CASED.match(part))
    return (frozenset("".join(lines)) | _MAY_BE_NAMES) - {" "}


def _with_initials(text: str, start: int, end: int) -> Span:
    before, after = _INITIALS_BEFORE.search(text[:start].rstrip()), _INITIALS.match(text, end)
    return before.start() if before else start, after.end() if after else end


@lru_cache(maxsize=16384)
def is_known_elsewhere(word: str) -> bool:
    """Whether a folded word of a script other than Latin is one of descriptions."""
    if word in plain("scripts") or word in starred("scripts"):
        return True
    if len(word) > 4 * LONGEST:
        return False
    if _JOINED.fullmatch(word):
        return _is_made_of_words(word)
    return _is_inflected(word) or any(
        (rest := word[match.end() :]) in either("scripts") or _is_inflected(rest)
        for match in (_PREFIXES.match(word),)
        if match
    )


def _is_inflected(word: str) -> bool:
    endings = next((endings for script, endings in _ENDINGS.items() if script.match(word)), None)
    return endings is not None and any(
        word[:size] in starred("scripts") and endings.fullmatch(word, size) for size in range(len(word), 1, -1)
    )


def _is_made_of_words(word: str) -> bool:
    """Whether known words follow each other from its beginning to its end."""
    reachable = {0}
    for end in range(1, len(word) + 1):
        if any(word[at:end] in plain("scripts") for at in reachable):
            reachable.add(end)
    return len(word) in reachable


@cache
def _by_length() -> tuple[int, ...]:
    unspaced = (word for word in _unfolded() if _WITHOUT_SPACES.fullmatch(word) or _HANGUL.fullmatch(word))
    return tuple(sorted(set(map(len, unspaced)), reverse=True))


@cache
def _unfolded() -> frozenset[str]:
    """The words as they are written: Hangul is taken apart where it is folded."""
    return frozenset(" ".join(plain_lines("scripts")).split())


def _unknown_parts(run: str, offset: int) -> Iterator[Span]:
    """What is left of a run when the longest known words are taken from its beginning on.

    Where these are only single ideographs, and one of them or of what is left may be of a name, all of it goes.
    """
    known, left = _words_of(run)
    is_doubtful = len(run) > 1 and not _characters().isdisjoint(run)
    if known and is_doubtful and all(end - begin == 1 for begin, end in known):
        yield offset, offset + len(run)
        return
    for begin, end in left:
        if _KANA.search(run, begin, end) or not _characters().isdisjoint(run[begin:end]):
            yield offset + begin, offset + end


def _words_of(run: str) -> tuple[list[Span], list[Span]]:
    """Where known words stand in a run, and where what is none of them."""
    known: list[Span] = []
    left: list[Span] = []
    at = begin = 0
    while at < len(run):
        sizes = (size for size in _by_length() if size <= len(run) - at)
        size = next((size for size in sizes if run[at : at + size] in _unfolded()), 0)
        if size:
            if begin < at:
                left.append((begin, at))
            known.append((at, at + size))
            begin = at + size
        at += size or 1
    if begin < len(run):
        left.append((begin, len(run)))
    return known, left
