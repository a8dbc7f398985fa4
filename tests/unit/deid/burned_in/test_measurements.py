"""Policy keep-measurements: numbers, units and sides stay; everything else goes, and what is in doubt."""

from __future__ import annotations

import io
from typing import Any

import pytest
from pydicom import dcmread

from sendit.deid.burned_in.measurements import Keeping, is_measurement, words_of
from sendit.deid.engine import Deidentifier
from sendit.deid.identifiers.identifiers import Identifier
from sendit.deid.pseudonyms import Pseudonyms
from sendit.deid.recipe.recipe import load_recipe
from tests.support.burned_in import KEY, VARIABLES, encoded, image
from tests.unit.deid.burned_in.test_native_images import gray


@pytest.mark.parametrize(
    "text",
    ["12", "1.5", "0,7 cm", "15mm", "120 kV", "L", "R", "25 cm/s", "100 %", "-40 dB", "3.5 MHz", "12 x 7 mm"],
)
def test_what_measures_is_a_measurement(text: str) -> None:
    assert is_measurement(text) is (text != "12 x 7 mm")  # an x may be a letter of anything


@pytest.mark.parametrize(
    "text",
    ["", "  ", "MUELLER", "NG 15 mm", "04711823", "12.03.1956", "12/03/56", "12:30", "1956", "2024", "555 1234", "67Y",
     "F", "LR", "12 34 56 78 mm", "CT 5", "A", "12-03-56", "福"],
)  # fmt: skip
def test_all_else_is_none(text: str) -> None:
    assert not is_measurement(text)


def test_a_word_of_the_studys_identifiers_goes_whatever_it_looks_like() -> None:
    keeping = Keeping(True, words_of(["0047", "Mueller^Anna", "7.5"]))
    assert (
        keeping.keeps("15 mm")
        and not keeping.keeps("47 mm")
        and not keeping.keeps("47")
        and not keeping.keeps("7.5 cm")
    )
    assert not Keeping().keeps("15 mm")


def masks(ds: Any, *identifiers: str) -> int:
    residuals = [Identifier("id", text) for text in identifiers]
    deidentifier = Deidentifier(load_recipe("research"), Pseudonyms(KEY), VARIABLES, residuals, keeps_measurements=True)
    made = deidentifier.deidentify(encoded(ds))
    assert made.pixels is not None
    after = dcmread(io.BytesIO(made.tobytes()))
    assert bool((after.pixel_array == ds.pixel_array).all()) is (not made.pixels.masks)
    return len(made.pixels.masks)


@pytest.mark.usefixtures("detector_of_tests")
@pytest.mark.parametrize(
    ("detector_of_tests", "count"),
    [("ReadsALength", 0), ("ReadsAName", 1), ("ReadsDoubtfully", 1)],
    indirect=["detector_of_tests"],
)
def test_only_what_is_surely_a_measurement_stays_in_an_image(count: int) -> None:
    assert masks(image(gray())) == count


@pytest.mark.usefixtures("detector_of_tests")
@pytest.mark.parametrize("detector_of_tests", ["ReadsALength"], indirect=True)
def test_a_number_that_is_the_patients_goes() -> None:
    assert masks(image(gray()), "0015") == 1
