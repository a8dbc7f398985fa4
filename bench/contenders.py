"""What sendit is measured against: each takes files and a folder, and leaves one output file per input file there."""

from __future__ import annotations

import hashlib
import logging
import shutil
import tarfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pydicom
from isal import igzip

from sendit.deid import Deidentifier, Pseudonyms, Recipe, load_recipe, read_header
from sendit.deid.identifiers.identifiers import extract
from sendit.deid.recipe.screen import Verdict

Run = Callable[[Sequence[Path], Path], None]
PASSED = Verdict(passed=True)
"""What the screen says of these images. A worker knows it from import, so it is no part of de-identifying a file."""


@dataclass(frozen=True, slots=True)
class Contender:
    """`name` and `run`; `sample` is how many files of a study it gets, so that the slow ones end in time.

    What another tool raises is a finding; what sendit raises ends the bench.
    """

    name: str
    run: Run
    sample: int
    is_foreign: bool = True


def quiet() -> None:
    """Other tools warn about every file; their warnings cost time that is not theirs."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)


def copy(files: Sequence[Path], out: Path) -> None:
    for path in files:
        shutil.copyfile(path, out / path.name)


@cache
def _recipe(name: str) -> Recipe:
    """As in a worker: read once per process."""
    return load_recipe(name)


def sendit(files: Sequence[Path], out: Path) -> None:
    """The core alone with the default recipe, one Deidentifier a study and its residual scan."""
    one = deidentifier(files)
    for path in files:
        one.deidentify(path, PASSED).write(out / path.name)


def deidentifier(files: Sequence[Path]) -> Deidentifier:
    """One for a study, with the default recipe."""
    residuals = extract(read_header(files[0]))
    return Deidentifier(_recipe("research"), Pseudonyms(b"bench" * 8), variables(), residuals)


def pydicom_read_write(files: Sequence[Path], out: Path) -> None:
    for path in files:
        pydicom.dcmread(path).save_as(out / path.name)


def dcmanon(files: Sequence[Path], out: Path) -> None:
    from dcmanon import Anonymizer

    anonymizer = Anonymizer()
    for path in files:
        (out / path.name).write_bytes(anonymizer.anonymize(str(path)))


def dicognito(files: Sequence[Path], out: Path) -> None:
    from dicognito.anonymizer import Anonymizer

    anonymizer = Anonymizer()
    for path in files:
        ds = pydicom.dcmread(path)
        anonymizer.anonymize(ds)
        ds.save_as(out / path.name)


def dicom_anonymizer(files: Sequence[Path], out: Path) -> None:
    from dicomanonymizer import anonymize_dicom_file

    for path in files:
        anonymize_dicom_file(str(path), str(out / path.name))


def deid(files: Sequence[Path], out: Path) -> None:
    """get_identifiers, then replace_identifiers with the study's pseudonyms, by deid's default recipe."""
    from deid.config import DeidRecipe
    from deid.dicom import get_identifiers, replace_identifiers

    names = [str(path) for path in files]
    found = get_identifiers(names)
    for fields in found.values():
        fields.update(variables())
    replace_identifiers(names, ids=found, deid=DeidRecipe("dicom"), save=True, overwrite=True, output_folder=str(out))


def seed_flow(files: Sequence[Path], out: Path) -> None:
    """The system in the field: copy, filter, get, replace, tarfile w:gz."""
    from deid.dicom import has_burned_pixels

    originals, replaced = out / "originals", out / "replaced"
    originals.mkdir()
    replaced.mkdir()
    copy(files, originals)
    has_burned_pixels([str(path) for path in originals.iterdir()], deid="dicom")
    deid(sorted(originals.iterdir()), replaced)
    with tarfile.open(out / "study.tar.gz", "w:gz") as archive:
        archive.add(replaced, arcname="study")


def read_and_igzip(files: Sequence[Path], out: Path) -> None:
    """The floor of any archive: the same bytes read, compressed at the same level and written."""
    with igzip.open(out / "study.gz", "wb", compresslevel=1) as archive:
        for path in files:
            archive.write(path.read_bytes())


def read_hash_and_igzip(files: Sequence[Path], out: Path) -> None:
    """The same with each file's SHA-256, which the table `instance` holds."""
    with igzip.open(out / "study.gz", "wb", compresslevel=1) as archive:
        for path in files:
            content = path.read_bytes()
            hashlib.sha256(content).digest()
            archive.write(content)


def variables() -> dict[str, Any]:
    """What the identity service would have answered."""
    return {
        "entity_id": "12fa",
        "entity_id_source": "Stanford MRN",
        "entity_timestamp": "19610801",
        "item_id": "12fb",
        "item_id_source": "DCM Accession #",
        "item_timestamp": "20100209",
        "jitter": 5,
    }


FILE_TO_FILE = (
    Contender("copy (shutil.copyfile)", copy, 400),
    Contender("sendit", sendit, 400, is_foreign=False),
    Contender("dcmanon", dcmanon, 100),
    Contender("pydicom read+write", pydicom_read_write, 60),
    Contender("dicognito", dicognito, 20),
    Contender("dicom-anonymizer", dicom_anonymizer, 12),
    Contender("deid get+replace", deid, 8),
)
