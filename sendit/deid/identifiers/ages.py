"""Ages (VR AS, PS3.5 6.2): all above a limit become one, so that the very old are not told apart by theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator

_AGE = re.compile(r"(\d{3})([DWMY])")
_A_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}


OLDEST = 89
"""Years that may be told; those who are older are of one age."""


def cap_age(text: str, limit: int = OLDEST) -> str:
    """The age, or for one above `limit` years the next year's ("090Y"); "" for what is no age."""
    match = _AGE.fullmatch(text.strip())
    if match is None:
        return ""
    years = int(match[1]) / _A_YEAR[match[2]]
    return text.strip() if years < limit + 1 else f"{limit + 1:03d}Y"


_YEARS = r"(?:9\d|1[0-4]\d)(?:[.,]\d)?"
_UNITS = (
    r"y\.?[/ ]?o\.?|yrs?|years?|jahren?|jähr(?:ige?[nrs]?)?|j(?:ährig)?\.|ans|années?|años|anos|ani|anni|enne|jaar"
    r"|jarige?|år(?:ig[ea]?)?|lat(?! (?:view|proj))|lata|letni[aey]?|let(?:ý|á|é)?|rok(?:u|ů|ov)?"
    r"|vuotta|vuotia[as]\w*|éves|yaş(?:ında(?:ki)?|lı)?|godin[ae]|лет(?:н\w+|ие)?|года?|років|річн\w+|годишн\w+|ετών|χρονών"
    r"|عاما?|سنة|سنوات|שנים|שנה|ปี|y|a(?= *(?:$|[,;)/]))|j(?= *(?:$|[,;)]))"
)
_OLD = re.compile(
    rf"(?<![\w.,/-])0?{_YEARS}(?=[ -]?(?:{_UNITS})(?![^\W_]))"  # 95 yo, 92Y
    rf"|(?<![\w.,/-]){_YEARS}(?= ?[歳岁歲才세살])"
    r"|(?<![\w.,/-])(?:9\d|10[1-9])(?=(?<!99)(?-i:M)(?![\w/.-])|(?-i:F)(?![\w/.-])"  # 94F; 99M is technetium's
    r"| ?/ ?[MF](?!\w)| (?-i:[MF])(?= *(?:$|[,;)]))| (?:male|female|man|woman|lady|gentleman)(?!\w))"  # 94/F
    rf"|(?<![\w.])(?<=[MF]/){_YEARS}(?![\w/+-]|[.,]\d)"  # F/94
    r"|(?<=(?-i:\b[MF]) )(?:9\d|10[1-9])(?= *(?:$|[,;)]))"
    r"|(?<=male )(?:9\d|10[1-9])(?![\w/+%-]|[.,]\d)|(?<=\bis )(?:9\d|10[1-9])(?= *(?:$|[,;)]|and\b))",
    re.IGNORECASE,
)
_ANNOUNCED = re.compile(
    rf"(?<![^\W\d_])(?P<word>(?:aged?|alter|edad|âgée?(?: de)?|âge|età|idade|leeftijd|ålder|alder|wiek|věk|возраст|вік"
    rf"|ηλικίας?|בן|בת|גיל|العمر|عمر|年齢|年龄|나이|อายุ)[ :=]{{1,3}}){_YEARS}(?![\w/+]|[.,]\d)",
    re.IGNORECASE,
)
_DIGIT = "one|two|three|four|five|six|seven|eight|nine"
_IN_WORDS = re.compile(
    rf"\b(?:ninety|(?:(?:one|a) )?hundred)(?:[- ](?:and )?(?:{_DIGIT}))?(?=[- ]?(?:years?|yrs?|y[./ ]?o)\b)"
    rf"|(?:(?<=aged )|(?<=age: )|(?<=age ))ninety(?:[- ](?:{_DIGIT}))?\b"
    r"|\b(?:super)?(?:nonag[eé]n|centen)(?:arians?|aires?|ari[oaie]s?|ários?|árias?)\b"
    r"|\b(?:in )?(?:his|her|their|the patient's) (?:early |mid[- ]?|late )?(?:nineties|90['’]?s)\b"
    r"|\b(?:early|mid|late)[- ](?:nineties|90['’]?s)\b"
    r"|\bquatre[- ]vingts?[- ](?:dix(?:[- ](?:sept|huit|neuf))?|onze|douze|treize|quatorze|quinze|seize)(?= ans\b)"
    r"|\bcent(?: \w+)?(?= ans\b)"
    r"|\b(?:\w{3,6}und)?(?:neunzig|hundert)\w{0,12}?(?=jährig| ?jahre)|\bhundert\w{0,8}(?= ?jahre)"
    r"|\bnovant\w{0,9}(?= ?anni|enne)|\bcent\w{0,9}(?= anni)"
    r"|\b(?:noventa|cien(?:to)?|cento|cem)(?: [ye] \w+| \w+)?(?= a[ñn]os\b)"
    r"|\b\w{0,9}negentig(?= ?jaar| ?jarig)|\bhonderd\w{0,8}(?= ?jaar)"
    r"|\bдевяност\w+(?: \w+)?(?= лет)|\bдевяностолетн\w+",
    re.IGNORECASE,
)
_OF_BIRTH = re.compile(
    r"(?<!\w)(?:b\.|born(?: in)?|y\.?o\.?b\.?|d\.?o\.?b\.?|geb(?:oren)?\.?|jg\.?|jahrgang|née?(?: en)?"
    r"|nacid[oa](?: en)?|nat[oa](?: nel)?"
    r"|nascid[oa](?: em)?|rocznik|ur\.|född|født|født|г\.р\.|\*) ?:? ?(?:1[89]|20)\d\d(?!\d)"
    r"|(?<!\d)(?:1[89]|20)\d\d ?(?:г\.? ?р\.|生まれ|年生|生)",
    re.IGNORECASE,
)
"""b. 1925, geb. 1925, *1925."""


def cap_ages_in(text: str) -> str:
    """A text in which ages of 90 years and more are 90+: `95 yo`, `101-year-old`, `092Y`, `94/F`."""
    capped = _ANNOUNCED.sub(r"\g<word>90+", _OLD.sub("90+", text))
    return _IN_WORDS.sub("90+", capped) if len(capped) > _SHORTEST else capped


_SHORTEST = len("her 90")


def years_of_birth(text: str) -> Iterator[tuple[int, int]]:
    """Where a text announces a year of birth, which says the age of the very old."""
    yield from (match.span() for match in _OF_BIRTH.finditer(text))
