"""Names of people in a text, told by titles, degrees, neighbours and their own look. Knows no patient.

A word of the clinic, of a protocol or plain English is no name by itself; behind a title even such a word is.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from sendit.deid.vocabulary import LONGEST, fold, is_eponym, is_known, is_name

Span = tuple[int, int]

NAME_HOLE = "\uf8fe"
"""Stands where a name was taken out; its neighbours may belong to it."""


@dataclass(frozen=True, slots=True)
class Word:
    """A run of letters with what stands in it of apostrophes; `key` is what it is looked up by."""

    start: int
    end: int
    text: str
    key: str

    @property
    def is_capital(self) -> bool:
        """Whether it begins with a capital, or its script has none."""
        return self.text[0].isupper() or not self.text[0].islower()

    @property
    def is_title_case(self) -> bool:
        return self.text[0].isupper() and self.text[1:].islower()

    @property
    def is_initial(self) -> bool:
        return len(self.text) == 1 and self.text.isupper()


_WORD = re.compile(r"[^\W\d_]+(?:['’`][^\W\d_]+)*|\uf8fe")
_APOSTROPHE = re.compile("['’`]s?(?![^\\W\\d_])|['’`]")


def names_of_people(text: str) -> Iterator[Span]:
    """Where names of people stand, in no order; they may overlap."""
    words = [Word(m.start(), m.end(), m[0], _key(m[0])) for m in _WORD.finditer(text)]
    done = 0
    for at, word in enumerate(words):
        if word.key in _TITLES:
            yield from _behind_title(text, words, at)
        elif word.key in _PLACES:
            yield from _before_place(words, at)
        if at >= done and _is_name_alone(text, words, at):
            first, done = _with_neighbours(text, words, at, done)
            yield words[first].start, _end(text, words[done - 1])
    yield from _before_degrees(text, words)
    yield from _announced(text, words)


def _key(word: str) -> str:
    return _APOSTROPHE.sub("", fold(word)) if len(word) <= LONGEST else word


def _is_known(word: Word) -> bool:
    return len(word.key) <= LONGEST and is_known(word.key)


def _end(text: str, word: Word) -> int:
    return word.end + (word.is_initial and text[word.end : word.end + 1] == ".")


# ---------------------------------------------------------------------------------------------- a name by its look

SHORTEST_UNKNOWN = 4


def _is_name_alone(text: str, words: list[Word], at: int) -> bool:
    word = words[at]
    if word.text == NAME_HOLE:
        return True
    if is_eponym(word.key):
        return not _names_disease(text, words, at)
    if len(word.key) < 3 or _is_known(word):
        return False
    if is_name(word.key):
        return True
    if not word.is_title_case:
        return len(word.key) <= LONGEST and any(map(_is_only_name, _CAMEL.findall(word.text)))
    return len(word.text) >= SHORTEST_UNKNOWN and not text[word.start - 1 : word.start].isalnum()


_CAMEL = re.compile("(?<![A-Z])[A-Z][a-z]{3,}")


def _is_only_name(part: str) -> bool:
    """Of a part of a word in camel case."""
    return is_name(part.lower()) and not is_known(part.lower())


_DISEASES = frozenset(
    """abscess amputation anastomosis aneurysm angle anomaly aphasia apophysis appliance approach arthropathy artery ataxia atrophy axis bodies body
    bone bursa canal capsule cardiomyopathy cartilage cell cells chorea classification contracture criteria curve cyst cysts dementia
    deformity degeneration disease diseases diverticula diverticulum dysplasia dystrophy effect epilepsy esophagus fascia fat fold foramen fossa
    fracture fractures fx ganglia ganglion gland grade graft granuloma granulomatosis hernia index injury islands joint knee ligament
    line lines lesion lesions lymphoma malformation maneuver mass method muscle myopathy nail nerve neuroma node nodes nodule nodules
    operation osteotomy ovary pad palsy paralysis penetration phenomenon plane plexus point pouch procedure projection prosthesis psoas
    puncture reflex repair ring rod rule sarcoma score shunt sign space sphincter spine spot spots stage staging stent stimulator stripe
    sulcus symphysis syndrome synostosis tear tendon test thyroiditis triangle tubercle tumor tumors tumour tumours tunnel ulcer valve vein
    ventricle view views zone""".split()
)
"""Behind a surname, what makes an eponym of it."""


def _names_disease(text: str, words: list[Word], at: int) -> bool:
    """Whether a word behind, perhaps behind another eponym, says that this is a disease's name."""
    for behind in words[at + 1 : at + 4]:
        if behind.key in _DISEASES:
            return True
        if not (is_eponym(behind.key) or behind.key in ("and", "type") or (is_name(behind.key) and is_known(behind.key))):
            return False
    return False


_GAP, _WIDEST_GAP = re.compile(r"[ ,.^\-]{1,3}"), 3
_PARTICLES = frozenset("van von der den de la le di da del dos das du mac mc st al el bin ben ibn abu ter ten zu zur".split())


def _with_neighbours(text: str, words: list[Word], at: int, done: int) -> tuple[int, int]:
    """A name with the other names, initials and particles that stand beside it: the first word, and the one behind."""
    first = last = at
    while first > max(done, at - _MOST_WORDS) and _goes_with(text, words, first - 1, first):
        first -= 1
    while last + 1 < len(words) and _goes_with(text, words, last + 1, last):
        last += 1
    return first, last + 1


def _is_near(text: str, one: Word, other: Word) -> bool:
    return _is_near_at(text, one.end, other.start)


def _is_near_at(text: str, end: int, start: int) -> bool:
    return start - end <= _WIDEST_GAP and _GAP.fullmatch(text, end, start) is not None


def _goes_with(text: str, words: list[Word], other: int, name: int) -> bool:
    word = words[other]
    if not _is_near(text, words[min(other, name)], words[max(other, name)]):
        return False
    if word.text == NAME_HOLE or word.is_initial:
        return True
    if word.key in _PARTICLES:
        return other < name
    if _is_known(word):
        return word.is_title_case and is_name(word.key)
    return word.is_capital and len(word.key) > 2


# ---------------------------------------------------------------------------------------------- titles, degrees, places

_SURE_TITLES = frozenset(
    "mrs prof professor herr frau mme mlle madame monsieur sra srta dott dottssa drs docteur doktor doctora dottore signor signora pani".split()
)
_TITLES = _SURE_TITLES | frozenset("dr dra mr ms miss sir sr md doctor hr fr pr mag".split())
_MOST_WORDS = 3


def _behind_title(text: str, words: list[Word], at: int) -> Iterator[Span]:
    """A title with the name behind it. DR and MR are modalities, too, and stay before a word that is known."""
    title, behind = words[at], words[at + 1 : at + 1 + _MOST_WORDS]
    if not behind or _TITLE_GAP.fullmatch(text, title.end, behind[0].start) is None:
        return
    sure = title.key in _SURE_TITLES or text[title.end : title.end + 1] == "."
    last = title
    for word in behind:
        if last is not title and not _is_near(text, last, word):
            break
        if not _may_follow_title(word, sure=sure and last is title):
            break
        last = word
    if last is not title:
        yield title.start, last.end


_TITLE_GAP = re.compile(r"\.? {0,2}(?:(?:med|dent|habil|rer|nat)\. {0,2}){0,3}")


def _may_follow_title(word: Word, *, sure: bool) -> bool:
    if word.text == NAME_HOLE or word.is_initial or word.key in _PARTICLES or is_name(word.key) or not _is_known(word):
        return True
    return sure and word.is_title_case


_DEGREE = re.compile(
    r"(?<=[ ,])(?:(?:M\.?D|Ph\.?D|R\.?N|D\.?O|N\.?P|MBBS|FRCR|FACR|CRNA|ARRT|DVM|PA-C|R\.?T\.? ?\([A-Z]{1,3}\))\.?)(?![A-Za-z0-9])"
)
_ANNOUNCEMENT = re.compile(
    r"(?<![A-Za-z])(?:(?:name|patient|pt|pat|physician|phys|doctor|surgeon|radiologist|technologist|technician|tech|operator|nurse|attending"
    r"|resident|fellow|ref|referring|attn|contact|spouse|mother|father|guardian|initials|reader|signed|author|arzt|mta|patientin)"
    r"(?: name)? ?[:=]|(?:requested|ordered|performed|dictated|signed|read|reported|reviewed|approved|verified|transcribed|referred|scanned|seen"
    r"|done|drawn|edited|segmented|annotated|contoured) (?:by|from)[ :]) {0,2}",
    re.IGNORECASE,
)


def _before_degrees(text: str, words: list[Word]) -> Iterator[Span]:
    """Names with the degree behind them."""
    ends = [word.end for word in words]
    for match in _DEGREE.finditer(text):
        first, last = match.start(), bisect_left(ends, match.start())
        for word in reversed(words[max(last - _MOST_WORDS, 0) : last]):
            if _GAP.fullmatch(text, word.end, first) is None or not _may_follow_title(word, sure=False):
                break
            first = word.start
        if first < match.start():
            yield first, match.end()


def _announced(text: str, words: list[Word]) -> Iterator[Span]:
    """Names behind words that announce a person."""
    starts = [word.start for word in words]
    for match in _ANNOUNCEMENT.finditer(text):
        end, first = match.end(), bisect_left(starts, match.end())
        for word in words[first : first + _MOST_WORDS]:
            near = word.start == end or _is_near_at(text, end, word.start)
            if not near or not _may_follow_title(word, sure=False):
                break
            end = word.end
        if end > match.end():
            yield match.end(), end


_PLACES = frozenset(
    """hospital hospitals clinic clinica clinique klinik klinikum hopital hospitalier ospedale policlinico university universitat universite
    universidad universita institute institut instituto infirmary krankenhaus spital kantonsspital ziekenhuis szpital sjukhus sykehus sygehus
    sairaala hastanesi""".split()
)
_OF = frozenset("of de della di do da du des von van".split())


def _before_place(words: list[Word], at: int) -> Iterator[Span]:
    """What a hospital or university is called: the words before it, or behind its `of`."""
    before, behind = words[max(at - 2, 0) : at], words[at + 1 : at + 4]
    for word in (*before, *(behind if behind and behind[0].key in _OF else ())):
        if word.is_capital and len(word.key) > 2 and word.key not in _OF and (is_name(word.key) or not _is_known(word)):
            yield word.start, word.end
