"""Korean, Japanese and Chinese names go in the other ways in which they are written, and plain words stay."""

from __future__ import annotations

import pytest

from sendit.deid.identifiers.descriptors import Cleaner
from sendit.deid.identifiers.east_asian import kana_of, latin_spellings
from sendit.deid.identifiers.identifiers import Identifier


def cleaned(text: str, *names: str) -> str:
    return Cleaner([Identifier("name", name) for name in names], 5).clean(text)


@pytest.mark.parametrize(
    ("family", "given", "written"),
    [
        ("박", "지훈", "Park Jihoon"), ("박", "지훈", "Bak Ji-hun"),
        ("정", "수빈", "Jung Soo-bin"), ("정", "수빈", "Chung Subin"),
        ("임", "도윤", "Lim Doyoon"), ("강", "은지", "Kang Eunji"),
        ("강", "은지", "Gang Un-ji"), ("조", "현우", "Cho Hyunwoo"),
    ],
)  # fmt: skip
def test_a_name_in_hangul_goes_in_latin_letters(family: str, given: str, written: str) -> None:
    assert cleaned(f"MRI knee {written}", family, given) == "MRI knee"


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        ("Suzuki", {"スズキ", "すずき", "ｽｽﾞｷ"}), ("Hattori", {"ハットリ", "はっとり", "ﾊｯﾄﾘ"}),
        ("Fujimoto", {"フジモト", "ふじもと"}),
        ("Saito", {"サイトウ", "サイトー", "さいとう"}),
        ("Shinohara", {"シノハラ", "しのはら"}), ("Kyoko", {"キョコ", "キョウコ"}),
    ],
)  # fmt: skip
def test_a_japanese_name_in_latin_letters_goes_in_kana_of_both_widths(name: str, spellings: set[str]) -> None:
    assert spellings <= kana_of(name)
    for written in spellings:
        assert written not in cleaned(f"{written} 肝臓", name)


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        ("さいとう", {"saitou", "saito", "saitoh"}), ("ふじもと", {"fujimoto", "huzimoto"}), ("ハットリ", {"hattori"}),
        ("きょうこ", {"kyouko", "kyoko"}), ("ツジ", {"tsuji", "tuzi"}),
    ],
)  # fmt: skip
def test_a_name_in_kana_goes_in_latin_letters(name: str, spellings: set[str]) -> None:
    assert spellings <= latin_spellings(name)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Zhou", "Chou"),
        ("Xiaohong", "Hsiaohung"),
        ("Qiu", "Chiu"),
        ("Hsieh", "Xie"),
        ("Jianguo", "Chienkuo"),
        ("Hsu", "Xu"),
    ],
)
def test_pinyin_and_wade_giles_mean_the_same_name(name: str, written: str) -> None:
    assert written.lower() in latin_spellings(name)
    if len(written) > 2:
        assert cleaned(f"CT liver {written}", name) == "CT liver"


@pytest.mark.parametrize("name", ["Smith", "Müller", "Kowalczyk", "Johnson", "O'Brien", "Иванов"])
def test_other_names_have_none_of_these(name: str) -> None:
    assert kana_of(name) == frozenset()
    assert {one for one in latin_spellings(name) if len(one) > 2} == frozenset()


def test_words_that_a_spelling_happens_to_be_stay() -> None:
    text = "T2 no contrast, chest pain, low dose scan, bone shaped"
    for name in ("노", "문", "Ge", "Luo", "Pan"):
        assert cleaned(text, name) == text
