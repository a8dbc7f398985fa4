"""Writes recipe/recipes/devices.recipe: which device burns text into which rectangles, from dicom-dre's catalogue.

    pip download --no-deps --python-version 3.12 --only-binary :all: dicom-dre
    unzip dicom_dre-*.whl && python -m standard.device_regions dicom_dre/default_catalog.py

dicom-dre (Apache-2.0, PyPI) has the catalogue as Python; it is read, and nothing of it is executed. Taken from it are
facts: of each device that has rectangles, how it is told, and the rectangles. What a header says of burned-in text is
no condition here, so that a rectangle is rather blanked once too often. The recipe is parsed after it is written, and
every rectangle has to be found in it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sendit.deid.recipe.filters import Region
from sendit.deid.recipe.recipe import parse_recipe

RECIPE = Path(__file__).parents[1] / "sendit" / "deid" / "recipe" / "recipes" / "devices.recipe"
KEYWORDS = {
    "manufacturer": "Manufacturer",
    "manufacturer_model_name": "ManufacturerModelName",
    "secondary_capture_device_manufacturer_model_name": "SecondaryCaptureDeviceManufacturerModelName",
    "software_versions": "SoftwareVersions",
    "modality": "Modality",
    "sop_class_uid": "SOPClassUID",
    "rows": "Rows",
    "cols": "Columns",
    "series_description": "SeriesDescription",
    "study_description": "StudyDescription",
    "body_part_examined": "BodyPartExamined",
    "pixel_spacing": "PixelSpacing",
    "conversion_type": "ConversionType",
    "code_meaning": "CodeMeaning",
    "comments_on_radiation_dose": "CommentsOnRadiationDose",
}
"""What a device is told by, in the order of the recipe's lines."""
OTHER_THAN = re.compile(r"/\^\(\?!([\w.]+)\$\)/")
HEAD = """FORMAT dicom

# devices: where devices burn text into their images, for other recipes to include behind `pixels`. Each LABEL blanks
# rectangles of one kind of image of one device; text is looked for in the rest as in every other image.
#
# Facts from the device catalogue of dicom-dre {version} (https://github.com/susom/dicom-dre, Apache License 2.0,
# Copyright the dicom-dre authors), written by `python -m standard.device_regions`. They come from one hospital's
# devices: yours may have another software, and write somewhere else.

%filter graylist
"""


def entries(catalogue: str) -> Iterator[dict[str, Any]]:
    """Yield the arguments of each device of the catalogue's text, its variants among them."""
    tree = ast.parse(catalogue)
    names = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "device":
            yield {"name": ast.literal_eval(node.args[0]), **_arguments(node, names)}


def _arguments(call: ast.Call, names: Mapping[str, Any]) -> dict[str, Any]:
    return {word.arg: _value(word.value, names) for word in call.keywords if word.arg}


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Call():
            return _arguments(node, names)
        case ast.Name():
            return names[node.id]
        case ast.List() | ast.Tuple():
            return [_value(element, names) for element in node.elts]
        case ast.JoinedStr():
            return "".join(_value(part, names) for part in node.values)
        case ast.FormattedValue():
            return _value(node.value, names)
        case ast.ListComp() if "scrub" not in ast.dump(node):
            return []  # sizes of images without rectangles
    return ast.literal_eval(node)


KINDS = ("Modality", "SOPClassUID", "ImageType")
SCREEN_CAPTURE = r"contains SOPClassUID ^1\.2\.840\.10008\.5\.1\.4\.1\.1\.7(\.|$)"
"""Secondary Capture Image Storage, single and multi-frame."""


def labels(entry: Mapping[str, Any]) -> Iterator[tuple[list[str], list[list[int]]]]:
    """Yield the criteria and the rectangles of each variant of a device that has some."""
    for variant in entry.get("variants") or [entry]:
        if variant.get("scrub"):
            said = {**entry, **variant}
            yield _of_known_kind([*_lines(said)]), variant["scrub"]


def _of_known_kind(lines: list[str]) -> list[str]:
    """Of an entry that names neither model nor kind of image, say that it is of screen captures, not of any image."""
    says_which = any(word in line for line in lines for word in (*KINDS, "ManufacturerModelName"))
    return lines if says_which else [*lines, SCREEN_CAPTURE]


def _lines(said: Mapping[str, Any]) -> Iterator[str]:
    for word, keyword in KEYWORDS.items():
        if said.get(word) is not None:
            yield _line(keyword, said[word])
    for name in _listed(said.get("image_type")):
        yield f"contains ImageType {re.escape(name)}"
    if said.get("image_type_any"):
        yield f"contains ImageType {'|'.join(map(re.escape, _listed(said['image_type_any'])))}"
    if said.get("image_type_exclude"):
        yield f"notcontains ImageType {'|'.join(map(re.escape, _listed(said['image_type_exclude'])))}"
    if said.get("requires_ultrasound_regions"):
        yield "present SequenceOfUltrasoundRegions"


def _listed(value: Any) -> list[str]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _line(keyword: str, value: Any) -> str:
    if isinstance(value, int):
        return f"equals {keyword} {value}"
    if value == "=":
        return f"missing {keyword} || empty {keyword}"
    other = OTHER_THAN.fullmatch(value) if isinstance(value, str) else None
    if other:
        return f"notequals {keyword} {other[1]}"
    return f"contains {keyword} {'|'.join(map(_pattern, _listed(value)))}"


def _pattern(text: str) -> str:
    """A pattern of the catalogue (`=` all of the value, `^` its beginning, `/…/` an expression) as one of a recipe."""
    if text.startswith("/") and text.endswith("/") and len(text) > 1:
        return text[1:-1].removeprefix("(?i)")
    if text.startswith("="):
        return f"^{re.escape(text[1:])}$".replace("\\ ", " ")
    if text.startswith("^"):
        return "^" + re.escape(text[1:]).replace("\\ ", " ")
    return re.escape(text).replace("\\ ", " ")


def recipe(catalogue: str, version: str) -> str:
    """Return the recipe that says what a catalogue says."""
    found = [(str(entry["name"]), lines, boxes) for entry in entries(catalogue) for lines, boxes in labels(entry)]
    alike, seen, out = Counter(name for name, _, _ in found), Counter[str](), [HEAD.format(version=version)]
    for name, lines, boxes in found:
        seen[name] += 1
        number = f" ({seen[name]})" if alike[name] > 1 else ""
        out.append(f"LABEL device {name.replace('#', 'No.')}{number}")
        out += [f"  {'+ ' if place else ''}{line}" for place, line in enumerate(lines)]
        out += [f"  ctpcoordinates {','.join(map(str, box))}" for box in boxes]
        out.append("")
    return "\n".join(out)


def main() -> None:
    """Write the recipe, and compare what it says with what was read."""
    path = Path(sys.argv[1])
    catalogue = path.read_text(encoding="utf-8")
    version = path.parents[1].glob("dicom_dre-*.dist-info")
    text = recipe(catalogue, next(version).name.removeprefix("dicom_dre-").removesuffix(".dist-info"))
    RECIPE.write_text(text, encoding="utf-8")
    regions = [region for rules in parse_recipe(text).filters for label in rules.labels for region in label.regions]
    boxes = [box for entry in entries(catalogue) for _, boxes in labels(entry) for box in boxes]
    assert regions == [Region(False, (left, top, left + wide, top + high)) for left, top, wide, high in boxes]
    print(
        f"{len(boxes)} rectangles of {sum(1 for line in text.splitlines() if line.startswith('LABEL'))} kinds of image"
    )


if __name__ == "__main__":
    main()
