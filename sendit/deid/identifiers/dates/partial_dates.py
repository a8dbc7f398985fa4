"""Dates of which a part is missing, or that another calendar counts: they can be found and not shifted.

A month, a week or a day of a year; a day without its year; Japanese eras and the Buddhist era.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sendit.deid.identifiers.dates.months import MONTHS, NAME, OTHER_WORDS
from sendit.deid.identifiers.vocabulary import fold

Span = tuple[int, int]

YEAR = "(?:1[89]|20)[0-9]{2}"
_BUDDHIST = "2[45][0-9]{2}"
_NUMBER_OF_DAY, _NUMBER_OF_MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"

_MONTH_OF_YEAR = re.compile(
    rf"(?<![\d./-])(?:(?:0?[1-9]|1[0-2])[/.-]{YEAR}|(?:19|20)\d\d[-/](?:0[1-9]|1[0-2]))(?![\d./-])"
    rf"|(?<![\d./-]){_NUMBER_OF_MONTH}/{YEAR} ?[-–] ?{_NUMBER_OF_MONTH}/{YEAR}(?!\d)"
    rf"|(?<![^\W\d_])(?:(?<!\d)\d{{1,2}}[-./ ]{{0,2}})?(?P<n>{NAME})\.?[-./' ]{{0,2}}(?:de )?"
    rf"(?:{YEAR}|{_BUDDHIST})(?!\d)",
    re.IGNORECASE,
)
"""01/2020, 2020-01, 3/2020-5/2020, Jan 2020."""
_SHORT_YEAR = re.compile(rf"(?<![^\W\d_])(?P<n>{NAME})\.?(?P<s> ?['’]|[-/]|)\d\d(?![\d./-]|[^\W\d_])")
"""Jun '11, Jun-11, Jun11."""
_WITHOUT_YEAR = re.compile(
    rf"(?<![^\W\d_])(?P<n>{NAME})\.? {{1,2}}(?P<d>\d{{1,2}})(?P<o>st|nd|rd|th)?(?!\d|\.\d)", re.IGNORECASE
)
"""January 31, Jan 31st."""
_ROMAN = "(?-i:I{1,3}|IV|VI{0,3}|IX|XI{0,2})"
_OF_THE_EAST = "1[34][0-9]{2}"
"""Years of the Islamic calendars, lunar or solar."""
_MONTHS_OF_ISLAM = (
    "muharram|safar|rabi[' ]{0,2}(?:[ua]l-? ?)?(?:awwal|thani|akhir|ii?|[12])"
    "|jumada?(?: (?:[ua]l-? ?)?(?:awwal|ula|thani|akhirah?|akhir|ii?|[12]))?|rajab|sha['’]?ban|ramadh?an"
    "|ramazan|shawwal|(?:dhu|zul|dhul|zil)[ '-]{0,2}(?:[aeiu]l-? ?)?(?:qa?['’]?d?ah?|qidah|hijj?ah?)"
)
_MONTHS_OF_THE_EAST = (
    f"{_MONTHS_OF_ISLAM}|farvardin|ordibehesht|khordad|tir|mordad|shahrivar|mehr|aban|azar|dey|bahman|esfand"
    "|nisan|iyy?ar|sivan|tamm?uz|menachem av|av|elul|tishr(?:ei|i)|(?:mar)?[ck]?heshvan|kislev|tevet|she?vat"
    "|adar(?: (?:ii?|[12]))?"
)
_ERA_NAMES = re.compile(
    r"(?<![A-Za-z])(?:meiji|taisho|showa|heisei|reiwa)[ -]?\d{1,2}(?:[./-]\d{1,2}){0,2}(?:[ -]?nen)?(?!\d)",
    re.IGNORECASE,
)
_BELONGING = (
    rf"(?<![A-Za-z0-9])(?:(?:week|wk|kw|cw|woche|semaine|semana|settimana|uke|vecka|q)[-./ ]{{0,2}}\d{{1,2}}"
    rf"(?:[-./ ,]{{1,3}}|,? (?:of|de|del|van|von) ){YEAR}"
    rf"|\d{{1,2}}\. ?(?:kw|woche)[-./ ]{{0,2}}{YEAR}|(?:kw|cw|wk|q)[ ]?\d{{1,2}}[/'’]\d\d|[1-4]q ?(?:{YEAR}|\d\d)"
    rf"|{YEAR}[-./ ]{{0,2}}(?:w|kw|cw|q)[-./ ]{{0,2}}\d{{1,2}}(?:-?[1-7])?)(?![A-Za-z0-9])",
    # a day of a year
    rf"(?<![A-Za-z0-9])(?:day|doy|tag|jour) ?\d{{1,3}}(?: ?/ ?| of | de | ){YEAR}(?!\d)",
    r"(?<![\w./-])(?:19[5-9]\d|200[1-9]|20[1-4]\d)-(?:00[1-9]|0[1-9]\d|[12]\d\d|3[0-5]\d|36[0-6])(?![\w]|[./-]\d)",
    # a day and a month
    r"(?<![\d.])(?:0[1-9]|[12]\d|3[01])\.(?:0[1-9]|1[0-2])\.(?!\d)",
    r"(?<![\w./-])(?:0[1-9]/(?:1[3-9]|2\d|3[01])|(?:1[3-9]|2\d|3[01])/0[1-9])(?![\w/-]|\.\d)",
    rf"(?<![^\W\d_])(?:on|since|dated?|until|till|vom|am|seit|bis|den|le|du|depuis|el|del|desde|dal|op|sinds):? "
    rf"(?:{_NUMBER_OF_DAY}[./-]{_NUMBER_OF_MONTH}|{_NUMBER_OF_MONTH}[/-]{_NUMBER_OF_DAY})(?:(?<=\.\d)\.|(?<=\.\d\d)\."
    r"|(?<![.]\d)(?<![.]\d\d))(?![\w/-]|\.\d)",
    # two digits of the year before month and day
    r"(?<![\w./-])(?:3[2-9]|[4-9]\d)(?P<m>[/-])(?:0[1-9]|1[0-2])(?P=m)(?:0[1-9]|[12]\d|3[01])(?![\w./-])",
    # a month by its Roman number
    rf"(?<![\w./-])(?:{_ROMAN}[./-]{YEAR}(?!\d)|{YEAR}[./-]{_ROMAN}[./-]{_NUMBER_OF_DAY}(?!\w))",
    r"(?:^|(?<=[,;(])|(?<=[,;(] )|(?<![^\W\d_])(?:in|on|since|dated?|vom|seit|z|dnia|le|du|del?|dal) )"
    rf"{_ROMAN} {YEAR}(?!\d)",
    rf"(?<![\w./-])(?:1[3-9]|2\d|3[01])\. ?{_ROMAN}(?!\w)",
    r"(?<![\w./-])0?[1-9]\. ?(?-i:II|III|IV|VI|VII|VIII|IX|XI|XII)\.(?!\w)",
    # with blanks between
    rf"(?<![\w./-]){YEAR}\. {{1,2}}{_NUMBER_OF_MONTH}\. {{1,2}}{_NUMBER_OF_DAY}\.?(?![\w])",
    # other calendars
    r"(?<![A-Za-z0-9])(?:[RHST]\d\d|R[1-9]|M4[0-5])(?P<e>[./-])\d{1,2}(?P=e)\d{1,2}(?![\w.])",
    r"(?<![A-Za-z])(?:roc|minguo|min ?kuo)[ -]?\d{1,3}(?:[./-]\d{1,2}){0,2}(?!\d)",
    r"(?<![\w./-])(?:9\d|1[01]\d)(?P<r>[./-])0?(?:[1-9]|1[0-2])(?P=r)(?:0[1-9]|[12]\d|3[01])(?![\w./-])",
    rf"(?<![\w./-])(?:{_OF_THE_EAST}(?P<h>[./-]){_NUMBER_OF_MONTH}(?P=h){_NUMBER_OF_DAY}"
    rf"|{_NUMBER_OF_DAY}(?P<i>[./-]){_NUMBER_OF_MONTH}(?P=i){_OF_THE_EAST})(?![\w./-])",
    rf"(?<![A-Za-z])A\.?H\.? ?{_OF_THE_EAST}(?!\d)|(?<!\d){_OF_THE_EAST} ?(?:A\.?H\.?|H)(?![A-Za-z])",
    rf"(?<![^\W\d_])(?:\d{{1,2}}[-. ]{{1,2}})?(?:{_MONTHS_OF_THE_EAST})[-.,' ]{{0,2}}(?:\d{{1,2}}[., ]{{1,2}})?"
    rf"(?:{_OF_THE_EAST}|5[67]\d\d)(?: ?A\.?H\.?)?(?!\d)",
    rf"(?<!\d)5[67]\d\d (?:{_MONTHS_OF_THE_EAST}) \d{{1,2}}(?!\d)|(?<!\d)\d{{1,2}} (?:{_MONTHS_OF_ISLAM})(?![^\W\d_])",
    rf"(?<![\d.])(?:\d{{1,2}}[./-]\d{{1,2}}[./-]{_BUDDHIST}|{_BUDDHIST}[./-]\d{{1,2}}[./-]\d{{1,2}})(?!\d)",
    rf"(?<![A-Za-z])B\.?E\.? ?{_BUDDHIST}(?!\d)",
)
_ERAS = "明治|大正|昭和|平成|令和|民國|民国"
_ARABIC = "[0-9\u0660-\u0669\u06f0-\u06f9]"
_IN_IDEOGRAPHS = "[一二三四五六七八九十百]{1,4}"
_IN_OTHER_SCRIPTS = (
    r"(?:明治|大正|昭和|平成|令和|[明大昭平令]) ?(?:元|\d{1,2})"
    r"(?:年(?: ?\d{1,2}月(?: ?\d{1,2}日)?)?|[./-]\d{1,2}[./-]\d{1,2})",
    rf"(?:{_ERAS}) ?(?:元|{_IN_IDEOGRAPHS}|\d{{1,3}}) ?年(?:{_IN_IDEOGRAPHS}月(?:{_IN_IDEOGRAPHS}[日號号])?)?",
    rf"[〇零一二三四五六七八九]{{4}}年(?:{_IN_IDEOGRAPHS}月(?:{_IN_IDEOGRAPHS}[日號号])?)?",
    r"(?:民國|民国) ?\d{1,3}(?: ?年(?: ?\d{1,2} ?月(?: ?\d{1,2} ?[日號号])?)?|[./-]\d{1,2}[./-]\d{1,2})?",
    r"\d{2,3} ?年 ?\d{1,2} ?月(?: ?\d{1,2} ?[日號号])?",
    rf"(?:{_ARABIC}{{1,2}} [\u0600-\u065f\u0670-\u06ef ]{{3,20}} )?{_ARABIC}{{4}} ?هـ?(?!\w)",
    r"(?:\d{4} ?[年년])? ?\d{1,2} ?[月월](?: ?\d{1,2} ?[日号號일])?|\d{4} ?[年년]",
    rf"(?<!\d)\d{{1,2}} ?[\u0e01-\u0e4e.]{{3,15}} ?(?:{_BUDDHIST}|\d\d)(?!\d)",
    rf"พ\.?ศ\.? ?{_BUDDHIST}(?!\d)",
)
_OTHERS = re.compile("|".join(_BELONGING), re.IGNORECASE)
_NOT_LATIN = re.compile("|".join(_IN_OTHER_SCRIPTS))
_TWO_DIGITS = re.compile(r"\d\D*\d")


def partial_dates(text: str) -> Iterator[Span]:
    """Where such dates stand, in no order; they may overlap."""
    yield from (match.span() for match in _WITHOUT_YEAR.finditer(text) if _has_day(match))
    yield from (match.span() for match in _ERA_NAMES.finditer(text))
    if not text.isascii():
        yield from (match.span() for match in _NOT_LATIN.finditer(text))
    if _TWO_DIGITS.search(text):
        yield from (match.span() for match in _MONTH_OF_YEAR.finditer(text) if _is_month(match))
        yield from (match.span() for match in _SHORT_YEAR.finditer(text) if _has_short_year(match))
        yield from (match.span() for match in _OTHERS.finditer(text))


def _is_month(match: re.Match[str]) -> bool:
    return match["n"] is None or fold(match["n"]) in MONTHS


def _has_short_year(match: re.Match[str]) -> bool:
    """MAR-10 is a reduction of artifacts, Mar-10 a month."""
    name = fold(match["n"])
    is_sure = name not in OTHER_WORDS or match["s"].strip() in ("'", "’") or (match["s"] and match["n"].istitle())
    return name in MONTHS and bool(is_sure)


def _has_day(match: re.Match[str]) -> bool:
    name = fold(match["n"])
    return name in MONTHS and bool(name not in OTHER_WORDS or match["o"]) and 1 <= int(match["d"]) <= 31


# ---------------------------------------------------------------------------------------------- spans of days

_JOINED = r"(?:[-–—/&+]|\b(?:to|and|or|through|thru|bis|und|au|et|al|e|y|a|à|tot|en|do|до|и)\b)"
_BEFORE = re.compile(
    rf"(?<![\w.,/-])(?:{_NUMBER_OF_DAY}(?:\.|st|nd|rd|th|er)?(?:[./-]\d{{1,2}}\.?)?|(?P<n>{NAME})\.?) ?{_JOINED} ?$",
    re.IGNORECASE,
)
"""12 - , 12. bis , 12.03.- , Jan to : before the last day of several."""
_BEHIND_NAME = re.compile(
    rf" ?{_JOINED} ?{_NUMBER_OF_DAY}(?:st|nd|rd|th)?(?:,? {{0,2}}{YEAR})?(?![\w/]|\.\d)", re.IGNORECASE
)
_BEHIND_NUMBER = re.compile(rf"(?:/|–)(?:{_NUMBER_OF_MONTH}-)?{_NUMBER_OF_DAY}(?![\w/]|[.-]\d)")
_LONGEST_BEFORE = 24


def whole_range(text: str, start: int, end: int) -> Span:
    """A date with the other days of which it says month or year: 12-15 March 2011, Jan to Mar 2011, 2011-03-12/15."""
    begins_with_letter, begins_with_year = text[start].isalpha(), text[start : start + 4].isdecimal()
    if not begins_with_year:
        match = _BEFORE.search(text, max(start - _LONGEST_BEFORE, 0), start)
        if match is not None and _is_month(match):
            start = match.start()
    behind = _BEHIND_NAME if begins_with_letter else _BEHIND_NUMBER if begins_with_year else None
    match = behind.match(text, end) if behind else None
    return start, match.end() if match else end
