"""The identifiers of one study, found in texts in whatever form they were written. Knows no element and no pattern."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from itertools import permutations, zip_longest

from sendit.deid.identifiers.dates.birth_dates import day_of
from sendit.deid.identifiers.dates.own_days import OwnDays
from sendit.deid.identifiers.dates.written_dates import written_dates
from sendit.deid.identifiers.east_asian import kana_of, latin_spellings
from sendit.deid.identifiers.identifiers import Identifier
from sendit.deid.identifiers.spellings import SHORTEST_CUT, SHORTEST_MISTYPED, is_mistyped, logins, romanized, spellings
from sendit.deid.identifiers.vocabulary import LONGEST, fold, is_known, is_listed, is_name, listed

Span = tuple[int, int]

SHORTEST_JOINED, SHORT_NUMBER, MOST_PARTS = 4, 6, 6
SHORTEST_LATIN = 3
"""Letters of a name in another spelling."""
SHORTEST_HIDDEN = 6
"""Letters of a name that counts within a longer word, if that is no known one: CTKowalczyk."""
SHORTEST_GLUED, LONGEST_INITIALS = 3, 3
"""Letters of a name that counts beside a known word that it is glued to: CTDoe."""
LONGEST_ENDING = 3
"""Letters behind a name that may belong to it: Parkinsons, Hodgkinian."""

_LETTERS = re.compile(r"[^\W\d_]+")
_RUNS = re.compile(r"[^\W_]+")
_SPELLED = re.compile(r"(?<![^\W_])[^\W\d_](?:[ ._-][^\W\d_]){2,20}(?![^\W_])")
_POINTED = re.compile(r"(?<![^\W_])[^\W\d_]\. ?[^\W\d_](?:\. ?[^\W\d_])?\.?(?![^\W_])")
_IDEOGRAPHS = re.compile("[\u3005-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff]")
_CAMEL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


class KnownIdentifiers:
    """What must not remain of one patient-study, and where it stands in a text.

    Parameters
    ----------
    identifiers : iterable of Identifier
    """

    __slots__ = ("_birth_dates", "_birth_years", "_forms", "_initials", "_long", "_names", "_parts", "_runs", "days")

    def __init__(self, identifiers: Iterable[Identifier]) -> None:
        self._names: set[str] = set()
        """Folded words."""
        self._runs: dict[str, int] = {}
        """Folded letters and digits without what stands between them; and how much a text may have between the ends."""
        self._parts: set[str] = set()
        """Texts that count wherever they stand: the scripts without spaces, and accented names within words."""
        self._initials: dict[str, bool] = {}
        """Two-letter names and initials in capitals; and whether they count without points."""
        self._forms: list[re.Pattern[str]] = []
        """How ids are built, so that others of the same making are found."""
        self._birth_dates: set[date] = set()
        self._birth_years: set[str] = set()
        """Two digits of each."""
        self.days = OwnDays()
        """Not among what stands in a text: where dates are shifted, another one may become one of them."""
        for one in identifiers:
            _TAKEN_IN[one.kind](self, one.text)
        self._long = [name for name in self._names if len(name) > SHORTEST_CUT]

    def is_birth_date(self, day: date) -> bool:
        """Whether the patient was born then."""
        return day in self._birth_dates

    def stand_in(self, text: str) -> bool:
        """Whether one of them stands in a text."""
        return any(True for spans in (self.names(text), self.numbers(text)) for _ in spans)

    def names(self, text: str) -> Iterator[Span]:
        """Where words of names and places stand, in no order; they may overlap."""
        yield from self._words(text)
        if self._parts and not text.isascii():
            yield from self._part_spans(text)

    # ------------------------------------------------------------------------------------------ taking in

    def _add_name(self, text: str) -> None:
        folded = _letters(fold(text))
        self._parts |= kana_of(folded)
        for other in latin_spellings(text):
            self._add_spelling(other, is_joined=len(text) > 1 and not text.isascii())
        if _IDEOGRAPHS.search(text):
            self._parts.add(text)
            return
        self._names.update({folded, *map(_letters, spellings(text))})
        if not text.isascii():
            self._parts.update(unicodedata.normalize(form, text.casefold()) for form in ("NFC", "NFD"))

    def _add_spelling(self, other: str, *, is_joined: bool) -> None:
        """A name in another spelling, unless that is a word; syllables may have something between them."""
        if is_known(other) and not is_name(other):
            return
        if len(other) < SHORTEST_LATIN:
            self._initials.setdefault(other.upper(), True)
            return
        self._names.add(other)
        if is_joined:
            self._add_run(other)

    def _add_person(self, text: str) -> None:
        """The parts of a whole name joined in any order, one perhaps cut off: JaneDoe, jdoe; and its initials."""
        for group in text.split("="):
            if _IDEOGRAPHS.search(group):
                self._parts.add("".join(_LETTERS.findall(group)))
                continue
            parts = _LETTERS.findall(group)[:MOST_PARTS]
            for one, other in permutations(parts, 2):
                self._initials.setdefault(fold(one)[:1].upper() + fold(other)[:1].upper(), False)
                for pair in {(fold(one), fold(other)), *_by_table(one, other)}:
                    self._add_joined(*pair)

    def _add_joined(self, one: str, other: str) -> None:
        joined = {one + other}
        if len(one) > 1 < len(other):
            joined |= {one[0] + other, one + other[0], *logins(one, other)}
        self._names.update(j for j in joined if len(j) >= SHORTEST_JOINED and not _is_word(j))
        if len(one + other) >= SHORTEST_JOINED:
            self._add_run(one + other)

    def _add_initials(self, text: str) -> None:
        self._initials[text.upper()] = True

    def _add_announced(self, text: str) -> None:
        self._names.add(_letters(fold(text)))

    def _add_date(self, text: str) -> None:
        day = day_of(text)
        year, short, month, number = f"{day.year:04}", f"{day.year % 100:02}", f"{day.month:02}", f"{day.day:02}"
        self._birth_dates.add(day)
        self._birth_years.add(short)
        for y in (year, short):
            for run in (y + month + number, number + month + y, month + number + y):
                self._add_run(run)

    def _add_number(self, text: str) -> None:
        """The whole, and its digits without the letters and zeros before them."""
        self._add_run("".join(_RUNS.findall(fold(text))), len(text))
        if form := _form_of(text):
            self._forms.append(form)
        digits = re.sub(r"\D", "", text)
        for run in (digits, digits.lstrip("0")):
            if len(run) >= SHORT_NUMBER:
                self._add_run(run)

    def _add_phone(self, text: str) -> None:
        """The whole, and what it is without the country and without the area."""
        digits = re.sub(r"\D", "", text)
        for run in (digits, digits[-10:], digits[-7:]):
            self._add_run(run)

    def _add_address(self, text: str) -> None:
        """The whole, and the words that only it has."""
        words = _RUNS.findall(fold(text))
        self._add_run("".join(words), len(text))
        self._names.update(word for word in words if len(word) >= SHORTEST_JOINED and _is_own(word))

    def _add_institution(self, text: str) -> None:
        """As an address, and its initials; but not what merely says a department's trade: MRI Brain."""
        words = _RUNS.findall(fold(text))
        if not all(map(is_known, words)) or not listed("places").isdisjoint(words):
            self._add_address(text)
        initials = "".join(word[0] for word in words if word[0].isalpha() and word != "s")
        if len(words) > 2 and len(initials) > 2 and not is_known(initials):
            self._names.add(initials)

    def _add_run(self, run: str, longest: int = 0) -> None:
        if run:
            loose = len(run) * 2 + 2 if len(run) >= SHORT_NUMBER else len(run) + 1
            self._runs[run] = max(longest, loose, self._runs.get(run, 0))

    # ------------------------------------------------------------------------------------------ finding

    def _words(self, text: str) -> Iterator[Span]:
        for match in _LETTERS.finditer(text):
            if match.end() - match.start() <= LONGEST * 2:
                yield from self._in_word(text, match)
        for match in _POINTED.finditer(text) if "." in text else ():
            initials = _letters(fold(match[0]))
            if initials.upper() in self._initials or initials in self._names:
                yield match.span()
        for match in _SPELLED.finditer(text):
            if fold(re.sub(r"[ ._-]", "", match[0])) in self._names:
                yield match.span()

    def _in_word(self, text: str, match: re.Match[str]) -> Iterator[Span]:
        word = fold(match[0])
        if word in self._names or any(word[:-more] in self._names for more in self._endings(word)):
            yield _with_prefix(text, match.start()), _with_initial(text, _with_genitive(text, match.end()))
        elif parts := list(self._in_camel(match[0])):
            yield from ((match.start() + start, match.start() + end) for start, end in parts)
        elif self._are_initials(match[0], word) or self._hides(word) or self._is_like_a_name(word):
            yield match.span()

    def _are_initials(self, written: str, word: str) -> bool:
        """Whether a short word is one of those that the header has; a known word only in title case: Ng, not NG."""
        if len(word) > LONGEST_INITIALS or not self._initials.get(word.upper()):
            return False
        return written[0].isupper() and (not is_known(word) or (len(word) > 1 and not written.isupper()))

    def _in_camel(self, word: str) -> Iterator[Span]:
        """Names among the parts of a word in camel case."""
        if not word.isupper() and not word.islower():
            for part in _CAMEL.finditer(word):
                if fold(part[0]) in self._names and len(part[0]) > 2:
                    yield part.span()

    def _hides(self, word: str) -> bool:
        """Whether a word that is not listed has a name in it, as a part that is no chance."""
        if len(word) <= SHORTEST_GLUED or is_listed(word):
            return False
        return any(name in word and _is_in(name, word) for name in self._names if len(name) >= SHORTEST_GLUED)

    def _is_like_a_name(self, word: str) -> bool:
        """Whether a word that is not known is a name that was cut off, or mistyped."""
        if len(word) < SHORTEST_CUT or is_known(word):
            return False
        return any(
            name.startswith(word) or (len(name) >= SHORTEST_MISTYPED and is_mistyped(word, name)) for name in self._long
        )

    def _endings(self, word: str) -> range:
        """How many letters may be left off: an s, or more of a word that is not a known one."""
        longest = LONGEST_ENDING if not is_known(word) else word.endswith("s")
        return range(1, min(longest, len(word) - 5) + 1)

    def numbers(self, text: str) -> Iterator[Span]:
        """Where numbers, dates, addresses and whole names stand alone, with whatever between their parts."""
        yield from self._written_birth_dates(text)
        for form in self._forms:
            yield from (match.span() for match in form.finditer(text))
        folded = fold(text)
        run = "".join(_RUNS.findall(folded))
        wanted = [one for one in self._runs if one in run]
        if not wanted:
            return
        places = _places(text)
        run = "".join(letter for letter, _ in places)
        for one in wanted:
            at = run.find(one)
            while at >= 0:
                begin, end = places[at][1], places[at + len(one) - 1][1] + 1
                if end - begin <= self._runs[one] and _stands_alone(text, begin, end, one):
                    yield begin, end
                at = run.find(one, at + 1)

    def _written_birth_dates(self, text: str) -> Iterator[Span]:
        if any(year in text for year in self._birth_years):
            for one in written_dates(text):
                if not self._birth_dates.isdisjoint((one.day, *one.readings)):
                    yield one.start, one.end

    def _part_spans(self, text: str) -> Iterator[Span]:
        lowered = text.lower()
        for part in self._parts:
            for form in {part, unicodedata.normalize("NFD", part)}:
                at = lowered.find(form) if len(lowered) == len(text) else text.find(form)
                while at >= 0:
                    yield at, at + len(form)
                    at = lowered.find(form, at + len(form))


_TAKEN_IN: dict[str, Callable[[KnownIdentifiers, str], None]] = {
    "name": KnownIdentifiers._add_name,
    "staff": KnownIdentifiers._add_name,
    "initials": KnownIdentifiers._add_initials,
    "announced": KnownIdentifiers._add_announced,
    "person": KnownIdentifiers._add_person,
    "date": KnownIdentifiers._add_date,
    "day": lambda known, text: known.days.add(text),
    "id": KnownIdentifiers._add_number,
    "number": KnownIdentifiers._add_number,
    "phone": KnownIdentifiers._add_phone,
    "address": KnownIdentifiers._add_address,
    "institution": KnownIdentifiers._add_institution,
    "station": KnownIdentifiers._add_institution,
}


def _is_word(joined: str) -> bool:
    """Whether what is joined is a word; a long one that is only formed like one is none: jpaloma."""
    return is_listed(joined) if len(joined) > SHORTEST_HIDDEN else is_known(joined)


def _by_table(one: str, other: str) -> Iterator[tuple[str, str]]:
    """Two words of a name, both in Latin letters by the same table."""
    ones, others = romanized(one), romanized(other)
    yield from zip_longest(ones, others, fillvalue=(ones if len(ones) < len(others) else others)[0])


def _is_in(name: str, word: str) -> bool:
    """Whether a name within a word is long enough, or nothing but known words is glued to it."""
    if len(name) >= SHORTEST_HIDDEN and not is_listed(name) and not is_known(word):
        return True
    if is_listed(name) and is_known(word):
        return False
    before, _, behind = word.partition(name)
    return before + behind != "" and all(not part or _may_be_glued(part) for part in (before, behind))


def _may_be_glued(part: str) -> bool:
    return len(part) > 1 and (is_listed(part) or part in listed("joined"))


def _form_of(number: str) -> re.Pattern[str] | None:
    """Its letters with as many digits in the same places, where both are there: AB-1234, so also AB-7755."""
    parts = _LETTERS_OR_DIGITS.findall(number)
    letters, digits = sum(map(str.isalpha, number)), sum(map(str.isdecimal, number))
    if (
        not letters
        or digits < _FEWEST_DIGITS
        or len(parts) > MOST_PARTS
        or is_known("".join(filter(str.isalpha, number)).lower())
    ):
        return None
    built = r"[ ._/-]?".join(rf"\d{{{len(part)}}}" if part.isdecimal() else re.escape(part) for part in parts)
    return re.compile(rf"(?<![^\W_]){built}(?![^\W_]|[.,]\d)", re.IGNORECASE)


_LETTERS_OR_DIGITS = re.compile(r"\d+|[^\W\d_]+")
_FEWEST_DIGITS = 3


def _is_own(word: str) -> bool:
    """Whether a word says something of one place alone."""
    return word.isalpha() and not is_known(word) and word not in listed("places")


def _letters(folded: str) -> str:
    return "".join(_LETTERS.findall(folded))


def _with_prefix(text: str, start: int) -> int:
    """Where a name begins, with the O' or d' before it."""
    prefix = text[max(start - 2, 0) : start]
    return start - 2 if len(prefix) == 2 and prefix[0].isalpha() and prefix[1] in "'’`" else start


def _with_genitive(text: str, end: int) -> int:
    return end + len(_GENITIVE.match(text, end)[0])  # type: ignore[index]


def _with_initial(text: str, end: int) -> int:
    return end + len(_INITIAL.match(text, end)[0])  # type: ignore[index]


_INITIAL = re.compile(r"(?:[_.][^\W\d_](?![^\W_]))?")
"""What follows a surname in a login: doe_j."""
_GENITIVE = re.compile(r"(?:['’`]s?(?![^\W\d_]))?")


def _places(text: str) -> list[tuple[str, int]]:
    """Each folded letter and digit of a text, with its place there."""
    return [(letter, at) for at, character in enumerate(text) if character.isalnum() for letter in fold(character)]


def _stands_alone(text: str, begin: int, end: int, run: str) -> bool:
    """Whether neither a word nor a number goes on at either end; a short one stands between blanks."""
    before, after = text[begin - 1 : begin], text[end : end + 1]
    if len(run) < SHORT_NUMBER:
        return not before.isalnum() and not after.isalnum()
    return not _goes_on(before, run[0]) and not _goes_on(after, run[-1])


def _goes_on(neighbour: str, edge: str) -> bool:
    return (neighbour.isdigit() and edge.isdigit()) or (neighbour.isalpha() and edge.isalpha())
