"""A rule made of what a reviewer did to one image: text for a recipe, for all images of the same device and size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sendit.deid.recipe.recipe import parse_recipe
from sendit.deid.recipe.recipe_lines import RecipeError
from sendit.deid.stream.header import Header, read_header
from sendit.phi import Phi
from sendit.pipeline.record.decisions import Boxes

KEYWORDS = ("Modality", "Manufacturer", "ManufacturerModelName", "Rows", "Columns")
"""What tells a kind of image of a device."""
NUMBERS = ("Rows", "Columns", "Modality")
LABEL = "LABEL seen by a reviewer"


def device_rule(path: Phi[Path], boxes: Boxes) -> Phi[str]:
    """Return a label that blanks the rectangles, or, without any, withholds the images.

    Raises what `read_header` raises. The text names a device, which is nobody's business but the site's.
    """
    header = read_header(path.reveal())
    checks = list(_checks(header))
    if boxes:
        masks = [f"  ctpcoordinates {left},{top},{right - left},{bottom - top}" for left, top, right, bottom in boxes]
        return Phi("\n".join(["FORMAT dicom", "", "%filter graylist", "", LABEL, *checks, *masks, ""]))
    return Phi("\n".join(["FORMAT dicom", "", "%filter blacklist", "", LABEL, *checks, ""]))


def _checks(header: Header) -> Iterator[str]:
    joined = "  "
    for keyword in KEYWORDS:
        value = header.text(keyword).strip()
        check = f"equals {keyword} {value}" if keyword in NUMBERS else f"contains {keyword} ^{re.escape(value)}$"
        if value and _is_understood(check):
            yield joined + check
            joined = "  + "


def _is_understood(check: str) -> bool:
    """Whether it means what it says, for a recipe's words are separated by what a value may hold."""
    try:
        made = parse_recipe(f"FORMAT dicom\n%filter blacklist\n{LABEL}\n  {check}\n")
    except RecipeError:
        return False
    questions = [
        one for rules in made.filters for label in rules.labels for each in label.checks for one in each.questions
    ]
    return len(questions) == 1
