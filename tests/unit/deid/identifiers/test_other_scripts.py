"""Scripts other than Latin: known words stay, all others go."""

from __future__ import annotations

import pytest

from sendit.deid.identifiers.other_scripts import unknown_words


def left(text: str) -> str:
    characters = list(text)
    for start, end in unknown_words(text):
        characters[start:end] = "\0" * (end - start)
    return "".join(characters).replace("\0", "")


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("胸部CT 造影", "胸部CT 造影"),
        ("胸部単純 山田太郎", "胸部単純 "),
        ("山田胸部正面", "胸部正面"),
        ("頭部 ヤマダ様", "頭部 "),
        ("복부 조영 김철수", "복부 조영 "),
        ("КТ Грудной Клетки Иванов", "КТ Грудной Клетки "),
        ("T2* α=30°", "T2* α=30°"),
        ("µ-map", "µ-map"),
        ("Schädel Müller", "Schädel Müller"),
        ("שלום chest", " chest"),
        ("محمد chest", " chest"),
        ("ａｂｃ", "ａｂｃ"),
    ],
)
def test_what_is_not_known_goes(text: str, rest: str) -> None:
    assert left(text) == rest
