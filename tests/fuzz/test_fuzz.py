"""A short run of `make fuzz`, in the same way."""

from __future__ import annotations

from tests.fuzz.campaign import run


def test_a_mutant_becomes_an_image_or_a_data_fault_and_a_recipe_or_a_recipe_error() -> None:
    report = run(files=1500, recipes=1000, values=600)
    assert report.failures == []
    outcomes = {target for target, outcome in report.outcomes if outcome in ("header", "image", "recipe")}
    wanted = {"header", "image", "recipe", "value"}
    assert outcomes == wanted, "the mutations are so wild that nothing is left to de-identify"
    assert sum(report.outcomes.values()) == 2 * 1500 + 1000 + 600
    assert report.outcomes["value", "image"] == 600
