"""How Korean, Japanese and Chinese names are also written: tables of sounds, put together syllable by syllable.

Hangul by the Revised Romanization of 2000, McCune-Reischauer and what passports of Korea have; kana by Hepburn and
Kunrei; Pinyin and Wade-Giles. Knows no patient and no text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import islice, product

MOST_SPELLINGS, MOST_SYLLABLES = 400, 4

# ---------------------------------------------------------------------------------------------- Korean

_INITIALS = "g/k kk/gg/k n d/t tt/dd r/l m b/p pp/bb s/sh ss/s - j/ch jj ch k t p h"
_MEDIALS = (
    "a/ah ae/ai ya yae eo/u/uh/o e/ae yeo/you/yu/yo ye o/oh wa wae oe/oi yo u/oo wo/weo we wi yu/yoo/you eu/u"
    " ui/eui/i i/ee"
)
_FINALS = "- k/g k k n n n t/d l k m l l l p l m p/b p t/s t ng t t k t p -/h"
_SURNAMES = {
    "이": "lee/rhee/yi/ri", "박": "park", "임": "lim/rim/yim", "유": "ryu/lyu", "안": "ahn", "윤": "yoon", "허": "hur",
    "백": "paik/baik", "우": "woo", "여": "yuh", "염": "yum", "설": "sul", "변": "byun", "현": "hyun", "전": "chun",
    "성": "sung", "정": "chung", "최": "choi",
}  # fmt: skip
"""Spellings of syllables that no table has, as most of those who are called so write them."""
_FIRST_SYLLABLE = 0xAC00


def _from_hangul(syllable: str) -> list[str]:
    number = ord(syllable) - _FIRST_SYLLABLE
    parts = (
        (_INITIALS, number // 588),
        (_MEDIALS, number % 588 // 28),
        (_FINALS, number % 28),
    )
    sounds = [table.split()[at].replace("-", "").split("/") for table, at in parts]
    return [*_SURNAMES.get(syllable, "").split("/"), *("".join(one) for one in product(*sounds))]


def _is_hangul(letter: str) -> bool:
    return "\uac00" <= letter <= "\ud7a3"


# ---------------------------------------------------------------------------------------------- Japanese

_KANA = {
    "": "あいうえお", "k": "かきくけこ", "s": "さしすせそ", "t": "たちつてと", "n": "なにぬねの", "h": "はひふへほ",
    "m": "まみむめも", "y": "や-ゆ-よ", "r": "らりるれろ", "w": "わ---を", "g": "がぎぐげご",
    "z": "ざじずぜぞ", "d": "だぢづでど", "b": "ばびぶべぼ", "p": "ぱぴぷぺぽ",
}  # fmt: skip
_HEPBURN = {"si": "shi", "ti": "chi", "tu": "tsu", "hu": "fu", "zi": "ji", "di": "ji", "du": "zu", "wo": "o"}
_HEPBURN_Y = {"sy": "sh", "ty": "ch", "zy": "j", "dy": "j"}


@cache
def _syllables() -> dict[str, str]:
    """Latin syllables of both tables, and their hiragana."""
    found: dict[str, str] = {}
    for consonant, row in _KANA.items():
        for vowel, kana in zip("aiueo", row, strict=True):
            if kana == "-":
                continue
            found.setdefault(consonant + vowel, kana)
            found.setdefault(_HEPBURN.get(consonant + vowel, consonant + vowel), kana)
        if len(consonant) == 1 and consonant not in "yw" and row[1] != "-":
            for small, vowel in zip("ゃゅょ", "auo", strict=True):
                kunrei = f"{consonant}y"
                for onset in (kunrei, _HEPBURN_Y.get(kunrei, kunrei)):
                    found.setdefault(onset + vowel, row[1] + small)
    return found | {"n": "ん", "m": "ん"}


@cache
def _japanese_word() -> re.Pattern[str]:
    """Syllables, the longest first; a doubled consonant is a small tsu."""
    longest = sorted(_syllables(), key=len, reverse=True)
    return re.compile(rf"(k(?=k)|s(?=s)|p(?=p)|g(?=g)|z(?=z)|d(?=d)|b(?=b)|j(?=j)|t(?=t|ch))?({'|'.join(longest)})")


def _to_kana(word: str) -> Iterator[str]:
    """A word in Latin letters as hiragana, if it is made of Japanese syllables; a last o may be a long one."""
    at, kana = 0, ""
    while at < len(word):
        match = _japanese_word().match(word, at)
        if match is None:
            return
        kana += ("っ" if match[1] else "") + _syllables()[match[2]]
        at = match.end()
    yield kana
    if word.endswith("o"):
        yield kana + "う"
    if "oh" not in word and "ou" not in word and "o" in word[:-1]:
        yield re.sub("([こそとのほもよろごぞどぼぽょ])(?=.)", r"\1う", kana, count=1)


def _katakana(hiragana: str) -> str:
    return "".join(chr(ord(one) + 0x60) if "ぁ" <= one <= "ゖ" else one for one in hiragana)


@cache
def _half_width() -> dict[str, str]:
    found = {unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0xFF66, 0xFF9E)}
    return found | {"\u3099": "\uff9e", "\u309a": "\uff9f"}


def kana_of(word: str) -> frozenset[str]:
    """A word in Latin letters as hiragana and katakana, of both widths; nothing if it is no Japanese word."""
    found: set[str] = set()
    for hiragana in _to_kana(word.lower()) if word.isascii() and word.isalpha() else ():
        katakana = _katakana(hiragana)
        narrow = "".join(_half_width().get(one, one) for one in unicodedata.normalize("NFD", katakana))
        found |= {hiragana, katakana, katakana.replace("ウ", "ー"), narrow}
    return frozenset(one for one in found if len(one) > 2)


def _from_kana(word: str) -> Iterator[str]:
    """Kana in Latin letters: long vowels are written in several ways."""
    hiragana = "".join(
        chr(ord(one) - 0x60) if "ァ" <= one <= "ヶ" else one for one in unicodedata.normalize("NFKC", word)
    )
    by_kana: dict[str, list[str]] = {}
    for latin, kana in _syllables().items():
        by_kana.setdefault(kana, []).append(latin)
    parts = re.findall(r"っ|ー|.[ゃゅょ]?", hiragana)
    if not all(part in "っー" or part in by_kana for part in parts):
        return
    sounds = [["*"] if part == "っ" else [""] if part == "ー" else by_kana[part] for part in parts]
    for one in islice(product(*sounds), MOST_SPELLINGS):
        text = re.sub(r"\*(.)", r"\1\1", "".join(one)).replace("*", "")
        yield text
        yield re.sub("(?<=o)[uo]|(?<=u)u", "", text)
        yield re.sub("(?<=o)[uo]", "h", text)


# ---------------------------------------------------------------------------------------------- Chinese

_ONSETS = ("zh", "ch", "sh", *"bpmfdtnlgkhjqxrzcsyw")
_ALONE = ("ang", "eng", "ai", "ei", "ao", "ou", "an", "en", "er", "a", "o", "e")
"""Rhymes that make a syllable without an onset."""
_RHYMES = (
    "iang", "iong", "uang", "ueng", "ing", "ong", "ian", "iao", "uai", "uan", "in", "un", "ia", "ie", "iu", "ua", "uo",
    "ui", "ue", "i", "u", *_ALONE,
)  # fmt: skip
_WADE_INITIALS = {
    "b": "p", "d": "t", "g": "k", "j": "ch", "q": "ch", "x": "hs", "zh": "ch", "r": "j", "z": "ts", "c": "ts",
}  # fmt: skip
_WADE_FINALS = {"ian": "ien", "ie": "ieh", "ue": "ueh", "ong": "ung", "iong": "iung", "er": "erh"}
_WADE_WHOLE = {
    "zi": "tzu", "ci": "tzu", "si": "ssu", "zhi": "chih", "chi": "chih", "shi": "shih", "ri": "jih", "yi": "i",
    "you": "yu", "yan": "yen", "ye": "yeh", "yong": "yung", "yue": "yueh", "ge": "ko", "ke": "ko", "he": "ho",
    "gui": "kuei", "kui": "kuei", "duo": "to", "tuo": "to", "nuo": "no", "luo": "lo", "zuo": "tso", "cuo": "tso",
    "suo": "so", "zhuo": "cho", "ruo": "jo",
}  # fmt: skip


def _to_wade(onset: str, rhyme: str) -> str:
    whole = _WADE_WHOLE.get(onset + rhyme)
    return whole or _WADE_INITIALS.get(onset, onset) + _WADE_FINALS.get(rhyme, rhyme)


@cache
def _pinyin() -> dict[str, str]:
    """Syllables of Pinyin, and what each is by Wade-Giles."""
    found = {onset + rhyme: _to_wade(onset, rhyme) for onset in _ONSETS for rhyme in _RHYMES}
    return found | {rhyme: _to_wade("", rhyme) for rhyme in _ALONE}


@cache
def _from_wade() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for syllable, wade in _pinyin().items():
        found.setdefault(wade, []).append(syllable)
    return found


def _in_syllables(word: str, most: int = MOST_SYLLABLES) -> Iterator[list[str]]:
    """The ways in which a word is made of syllables."""
    if not word:
        yield []
    for size in range(1, min(len(word), 6) + 1) if most else ():
        if word[:size] in _pinyin():
            yield from ([word[:size], *rest] for rest in _in_syllables(word[size:], most - 1))


def _chinese(word: str) -> Iterator[str]:
    """A word of Pinyin by Wade-Giles, and the reverse; without the apostrophes, which people leave out."""
    for syllables in islice(_in_syllables(word), MOST_SPELLINGS):
        yield "".join(_pinyin()[one] for one in syllables)
    yield from _from_wade().get(word, ())


# ---------------------------------------------------------------------------------------------- all of them


@lru_cache(maxsize=4096)
def latin_spellings(word: str) -> frozenset[str]:
    """In which other ways a word of a name is written in Latin letters; nothing where no table has it."""
    if word.isascii():
        return frozenset(_chinese(word.lower())) - {word.lower()}
    letters = unicodedata.normalize("NFC", word)
    if len(letters) <= MOST_SYLLABLES and all(map(_is_hangul, letters)):
        return frozenset(_joined(map(_from_hangul, letters)))
    return frozenset(_from_kana(word))


def _joined(syllables: Iterable[list[str]]) -> Iterator[str]:
    return ("".join(one) for one in islice(product(*syllables), MOST_SPELLINGS))
