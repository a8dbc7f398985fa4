"""What comes out is as valid as what went in: dciodvfy finds no error that it did not find before."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import cache
from pathlib import Path

import pytest
from pydicom import dcmread

from sendit.deid import Deidentifier, Header, load_recipe, read_header
from sendit.deid.recipe.screen import screen
from sendit.deid.rewriting.withheld import Withheld
from sendit.errors import DataFault
from tests.conformance.test_default_recipe import PSEUDONYMS, SHIPPED, VARIABLES
from tests.support.dciodvfy import Errors, errors_of
from tests.support.phantoms import FILES
from tests.support.streams import bundled_files

SHARED = Path(__file__).parents[3] / "shared" / "data" / "dicom"

pytestmark = pytest.mark.xdist_group("dciodvfy")  # what it says of the originals is asked once


def header_of(path: Path) -> Header | None:
    try:
        return read_header(path)
    except DataFault:
        return None


def form(header: Header) -> Hashable:
    """Files that are alike in this are alike in what may go wrong with them: the slices of a series are."""
    return header.sop_class_uid, header.transfer_syntax, tuple(header)


@cache
def instances(root: Path | None = None) -> tuple[Path, ...]:
    """One file of each form that the wheel of pydicom brings along, or that is below a folder."""
    found: dict[Hashable, Path] = {}
    for path in bundled_files() if root is None else sorted(root.rglob("*.dcm")):
        header = header_of(path)
        if header is not None and "SOPClassUID" in header:
            found.setdefault(form(header), path)
    return tuple(found.values())


@cache
def errors_before(root: Path | None) -> dict[Path, Errors]:
    return dict(zip(instances(root), errors_of(instances(root)), strict=True))


def errors_after(paths: Iterable[Path], recipe: str, folder: Path) -> dict[Path, Errors]:
    """What dciodvfy says of the outputs, by original; a file that cannot be de-identified has none."""
    deidentifier = Deidentifier(load_recipe(recipe), PSEUDONYMS, VARIABLES)
    outputs: dict[Path, Path] = {}
    for number, path in enumerate(paths):
        output = folder / f"{number}.dcm"
        try:
            deidentifier.deidentify(path).write(output)
        except DataFault:
            continue
        outputs[path] = output
    return dict(zip(outputs, errors_of(outputs.values()), strict=True))


def loses_geometry(path: Path, recipe: str) -> bool:
    """Whether the image is a mosaic that the recipe would leave without places for its slices: it is withheld."""
    try:
        Deidentifier(load_recipe(recipe), PSEUDONYMS, VARIABLES).deidentify(path).close()
    except Withheld:
        return True
    except DataFault:
        pass
    return False


def new_errors(recipe: str, root: Path | None, folder: Path) -> dict[str, Errors]:
    after, before = errors_after(instances(root), recipe, folder), errors_before(root)
    mosaics = sum(loses_geometry(path, recipe) for path in before)
    assert len(after) > (len(before) - mosaics) * 0.9, "hardly any file was de-identified"
    return {path.name: found for path, errors in after.items() if (found := errors - before[path])}


@pytest.mark.parametrize("recipe", SHIPPED)
def test_a_real_file_is_as_valid_as_it_was(recipe: str, tmp_path: Path) -> None:
    assert new_errors(recipe, None, tmp_path) == {}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the files beside the project (shared/data/dicom) are not here")
@pytest.mark.parametrize("recipe", SHIPPED)
def test_a_file_beside_the_project_is_as_valid_as_it_was(recipe: str, tmp_path: Path) -> None:
    assert new_errors(recipe, SHARED, tmp_path) == {}


@pytest.mark.parametrize("recipe", SHIPPED)
def test_what_is_no_instance_is_withheld(recipe: str) -> None:
    """DICOMDIRs and fragments of datasets: their File Meta Information could name no class, so they never leave."""
    others = [path for path in bundled_files() if (header := header_of(path)) and "SOPClassUID" not in header]
    assert len(others) > 5
    assert [path.name for path in others if screen(read_header(path), load_recipe(recipe)).passed] == []


def test_dciodvfy_would_find_an_image_that_lost_what_it_needs(tmp_path: Path) -> None:
    ds = dcmread(FILES / "CT_small.dcm")
    del ds.StudyInstanceUID, ds.PatientID
    ds.save_as(tmp_path / "out.dcm")
    found = " ".join(errors_of([tmp_path / "out.dcm"])[0])
    assert "StudyInstanceUID" in found
    assert "PatientID" in found
