"""Years as other calendars count them: Japanese eras and the Buddhist era."""

from __future__ import annotations

_ERAS = {
    "m": 1868, "t": 1912, "s": 1926, "h": 1989, "r": 2019, "meiji": 1868, "taisho": 1912, "showa": 1926, "heisei": 1989,
    "reiwa": 2019, "明治": 1868, "大正": 1912, "昭和": 1926, "平成": 1989, "令和": 2019, "明": 1868,
    "大": 1912, "昭": 1926, "平": 1989, "令": 2019,
}  # fmt: skip
"""The first year of each era."""
BUDDHIST = range(2400, 2641)
"""Years of the Buddhist era that may be written of somebody who lives, or lived not long ago."""
_AHEAD = 543


def year_in_era(era: str, number: int) -> int | None:
    """S30 is 1955; None for what is no era."""
    first = _ERAS.get(era.lower())
    return None if first is None or not number else first + number - 1


def common_year(year: int) -> int:
    """The year of the Common Era: 2498 is 1955."""
    return year - _AHEAD if year in BUDDHIST else year
