"""A script of CTP's DicomPixelAnonymizer blanks, here, what it blanks there."""

from __future__ import annotations

from pathlib import Path

import pytest

from sendit.deid.recipe.filters import Region
from sendit.deid.recipe.recipe import RecipeError, load_recipe
from sendit.deid.recipe.screen import screen
from tests.unit.deid.recipe.test_screen import Values

ROOM = Values(Manufacturer="Acme Medical", ManufacturerModelName="Scan (2)", Rows="512", Modality="US")


def regions(tmp_path: Path, script: str, header: Values = ROOM) -> list[tuple[int, int, int, int] | None]:
    """What is blanked of an image, as (left, top, right, bottom)."""
    file = tmp_path / "ours.script"
    file.write_text(script)
    found = screen(header, load_recipe(f"{file},pixels")).coordinates
    assert all(isinstance(one, Region) and not one.keep for one in found)
    return [one.box for one in found]


@pytest.mark.parametrize(
    ("signature", "fits"),
    [
        ('Manufacturer.containsIgnoreCase("acme")', True),
        ('[0008,0070].contains("Acme")', True),
        ('[0008,0070].contains("Other")', False),
        ('!Manufacturer.contains("Other")', True),
        ('Rows.equals("512")', True),
        ('Rows.equals("51")', False),
        ('!Rows.equals("512")', False),
        ('ManufacturerModelName.equals("scan (2)")', True),
        ('ManufacturerModelName.startsWith("Scan") * ManufacturerModelName.endsWith("(2)")', True),
        ('ManufacturerModelName.startsWith("can")', False),
        ('ManufacturerModelName.matches("Sc.*")', True),
        ('ManufacturerModelName.matches("Sc")', False),
        ('Manufacturer.contains("x") + Manufacturer.contains("c") * Rows.equals("512")', True),
        ('(Manufacturer.contains("x") + Rows.equals("512")) * Rows.equals("3")', False),
        ('!(Manufacturer.contains("x") + Rows.equals("3"))', True),
        ('!(Manufacturer.contains("c") * Rows.equals("3"))', True),
        ('!(Manufacturer.contains("c") * Rows.equals("512"))', False),
        ('!!Rows.equals("512")', True),
        ('SoftwareVersions.equals("")', True),
        ('!SoftwareVersions.equals("")', False),
        ('!Rows.equals("")', True),
        ('true. * Rows.equals("512")', True),
        ('false. + Rows.equals("3")', False),
    ],
)
def test_a_signature_fits_as_in_ctp(tmp_path: Path, signature: str, fits: bool) -> None:
    assert regions(tmp_path, f"A heading\n {{ {signature} }}\n (1,2,30,40)\n") == ([(1, 2, 31, 42)] if fits else [])


def test_several_regions_headings_comments_and_signatures_without_regions(tmp_path: Path) -> None:
    script = (
        "Library (see the manual)\n** US **\n"
        '{ Modality.equals("US") } // all of them (1,2)\n (0,0,5,5) (10, 20, 30, 40)\n'
        'Next\n{ Modality.equals("US") }\n'
        '{ Modality\n .equals("CT") } (0,0,9,9)\n'
    )
    assert regions(tmp_path, script) == [(0, 0, 5, 5), (10, 20, 40, 60)]


@pytest.mark.parametrize(
    ("script", "place"),
    [
        ("nothing in braces", ":1:1: a script"),
        ('{ Rows.equals("1") }\n(1,2,3)', ":2:1: a region"),
        ('{ Rows.equals("1") }\n(1,2,3,4,5)', ":2:1: a region"),
        ('{ Rows.isLessThan("1") } (1,2,3,4)', ":1:8: isLessThan cannot be asked here"),
        ('{ Rows.equals("1") * } (1,2,3,4)', ":1:22:"),
        ('{ Rows.equals("1" } (1,2,3,4)', ":1:2:"),
        ('{ (Rows.equals("1") } (1,2,3,4)', "this signature cannot be understood"),
        ('{ NoSuchKeyword.equals("1") } (1,2,3,4)', ":1:3: the dictionary has no attribute NoSuchKeyword"),
        ('{ Rows.matches("(") } (1,2,3,4)', ":1:17:"),
        (
            "{" + " * ".join(f'(Rows.equals("{n}") + Rows.equals("0"))' for n in range(9)) + "} (1,2,3,4)",
            "more than 64",
        ),
    ],
)
def test_what_cannot_be_understood_is_said_with_its_place(tmp_path: Path, script: str, place: str) -> None:
    with pytest.raises(RecipeError, match=place.replace("(", r"\(")):
        regions(tmp_path, script)
