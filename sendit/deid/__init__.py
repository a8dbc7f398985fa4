"""The core: a DICOM file in, a de-identified one out. Knows no Django, no queue, no network, no cloud."""

from sendit.deid.engine import DeidentifiedImage, Deidentifier, deidentify
from sendit.deid.header import Header, read_header
from sendit.deid.identifiers import Identifier
from sendit.deid.phi import Phi
from sendit.deid.pseudonyms import Pseudonyms
from sendit.deid.recipe import Recipe, load_recipe
from sendit.deid.verify import Instance

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
