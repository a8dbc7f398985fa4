"""What `make scale` is made of is what it is meant to be: a few of each kind pass."""

from __future__ import annotations

import pytest

from sendit.deid import Deidentifier, Pseudonyms, load_recipe, read_header
from tests.long import scale
from tests.support.streams import KEY, VARIABLES


@pytest.mark.parametrize(
    "data",
    [scale.enhanced(20), scale.unknown(200), scale.identifiers(20), scale.texts(5)],
    ids=["frames", "unknown elements", "identifiers", "texts"],
)
def test_a_few_of_each_pass(data: bytes) -> None:
    assert read_header(data).text("PatientID") == "MRN-1"
    assert Deidentifier(load_recipe("research"), Pseudonyms(KEY), VARIABLES).deidentify(data).tobytes()
