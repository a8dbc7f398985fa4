"""Names of radiotherapy structures: those of the nomenclature stay whole. People and days in them go."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import pytest

from sendit.deid.identifiers.descriptors import Cleaner
from sendit.deid.identifiers.identifiers import Identifier
from tests.clinical_texts import descriptors

TEXT = Path(descriptors.__file__).with_name("structures.txt").read_text("utf-8")
STRUCTURES = [name for line in TEXT.splitlines() if not line.startswith("#") for name in line.split()]
CLEANER = Cleaner([Identifier("name", "Okonkwo"), Identifier("staff", "Ferreira")], days=5)
SUFFIXES = ("_L", "_R", "_PRV03", "_PRV05", "~", "_1", "_Dist", "-PTV", "+5mm", "_OPT", " (1)", "_old", "_new", "_v2")
DOSES = ("_5040", "_50.4Gy", "_45Gy", " 60Gy", "_20Gyx3", "_6000cGy", "_70", "_54Gy/30", "-5000", "_HR_60")


def lost(names: list[str]) -> list[str]:
    return [name for name in names if CLEANER.clean(name) != name]


def test_a_name_of_the_nomenclature_stays_whole() -> None:
    assert len(STRUCTURES) > 500
    assert lost(STRUCTURES) == []


@pytest.mark.parametrize("prefix", ["", "z", "_", "z_", "opt_"])
def test_so_it_does_with_what_is_put_before_and_behind_it(prefix: str) -> None:
    named = [f"{prefix}{name}{suffix}" for name, suffix in zip(STRUCTURES, cycle(SUFFIXES), strict=False)]
    assert len(lost(named)) <= len(named) * 0.01, lost(named)


@pytest.mark.parametrize(
    "target", ["PTV", "CTV", "GTVp", "ITV1", "PTV_High", "PTVn2", "IGTV", "CTVsb", "PTV_Boost", "ptv"]
)
def test_a_target_keeps_its_dose(target: str) -> None:
    assert lost([target + dose for dose in DOSES]) == []


@pytest.mark.parametrize(
    "day", ["20200131", "2020-01-31", "31.01.2020", "01/31/2020", "31JAN2020", "200131", "Jan 31 2020"]
)
@pytest.mark.parametrize("target", ["PTV_5040", "GTV_MR", "CTV 45Gy", "Lung_L", "PTV_High"])
def test_a_day_goes_or_is_shifted_and_the_rest_stays(target: str, day: str) -> None:
    left = CLEANER.clean(f"{target}_{day}")
    assert left.startswith(target)
    assert day not in left
    assert "31" not in left[len(target) :]


@pytest.mark.parametrize("name", ["Okonkwo", "Dr Meyer", "Ferreira", "OKONKWO", "Dr. Strong"])
@pytest.mark.parametrize("target", ["PTV", "GTV_60Gy", "Brainstem", "PTV_High", "Lungs-GTV"])
def test_a_person_goes_and_the_rest_stays(target: str, name: str) -> None:
    for text in (f"{target} {name}", f"{target}_{name}", f"{name} {target}"):
        assert CLEANER.clean(text) == target, text
