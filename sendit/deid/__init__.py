"""The core: a DICOM file in, a de-identified one out. Knows no Django, no queue, no network, no cloud.

What it offers is imported when first asked for: who wants a `Phi` does not wait for pydicom.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sendit.deid.description import Instance
    from sendit.deid.engine import Deidentifier, deidentify
    from sendit.deid.identifiers.identifiers import Identifier
    from sendit.deid.image import DeidentifiedImage
    from sendit.deid.pseudonyms import Pseudonyms
    from sendit.deid.recipe.recipe import Recipe, load_recipe
    from sendit.deid.stream.header import Header, read_header
    from sendit.phi import Phi

__all__ = [
    "DeidentifiedImage",
    "Deidentifier",
    "Header",
    "Identifier",
    "Instance",
    "Phi",
    "Pseudonyms",
    "Recipe",
    "deidentify",
    "load_recipe",
    "read_header",
]

_HOMES = {
    "DeidentifiedImage": "sendit.deid.image",
    "Deidentifier": "sendit.deid.engine",
    "Header": "sendit.deid.stream.header",
    "Identifier": "sendit.deid.identifiers.identifiers",
    "Instance": "sendit.deid.description",
    "Phi": "sendit.phi",
    "Pseudonyms": "sendit.deid.pseudonyms",
    "Recipe": "sendit.deid.recipe.recipe",
    "deidentify": "sendit.deid.engine",
    "load_recipe": "sendit.deid.recipe.recipe",
    "read_header": "sendit.deid.stream.header",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
