"""What dcm2niix makes of a series before and after: the same voxels, places, gradients and timing."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import dcm2niix
import nibabel
import numpy as np
import pytest

from sendit.deid import Deidentifier, Pseudonyms, load_recipe, read_header
from sendit.deid.identifiers.identifiers import extract
from tests.support.mosaics import ORIENTATIONS, Mosaic, slices_of

ROOT = Path(__file__).parents[2]
SHARED = Path("shared", "data", "dicom", "mosaic")
REAL = next((parent / SHARED for parent in ROOT.parents if (parent / SHARED).is_dir()), ROOT.parent / SHARED)
NIBABEL = Path(nibabel.__file__).parent / "nicom" / "tests" / "data"
VARIABLES = {"entity_id": "E1", "item_id": "I1", "jitter": 5}
KEYS = (
    "PhaseEncodingDirection", "PhaseEncodingAxis", "SliceTiming", "EffectiveEchoSpacing", "TotalReadoutTime",
    "DerivedVendorReportedEchoSpacing", "ParallelReductionFactorInPlane", "BandwidthPerPixelPhaseEncode", "DwellTime",
    "PhaseEncodingSteps", "ReconMatrixPE", "BaseResolution", "PartialFourier", "RepetitionTime", "EchoTime",
    "InversionTime", "FlipAngle", "ShimSetting", "TxRefAmp", "SliceThickness", "MultibandAccelerationFactor",
    "ImageOrientationPatientDICOM", "ImageType", "CoilString",
)  # fmt: skip


def deidentify(files: Sequence[Path], target: Path, recipe: str = "research") -> None:
    target.mkdir()
    residuals = [one for path in files for one in extract(read_header(path))]
    deidentifier = Deidentifier(load_recipe(recipe), Pseudonyms(b"a key that tests have"), VARIABLES, residuals)
    for path in files:
        deidentifier.deidentify(path).write(target / path.name)


def converted(folder: Path, target: Path) -> dict[str, Path]:
    """The volumes that dcm2niix makes of a folder, by name."""
    target.mkdir()
    done = subprocess.run(
        [dcm2niix.bin, "-b", "y", "-ba", "n", "-z", "n", "-f", "%s_%r", "-o", str(target), str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    return {path.name: path for path in sorted(target.glob("*.nii"))}


def assert_alike(files: Sequence[Path], scratch: Path, recipe: str = "research") -> list[dict[str, object]]:
    """Convert both, compare, and return the sidecars."""
    before_folder = scratch / "before"
    before_folder.mkdir()
    for path in files:
        shutil.copy(path, before_folder)
    deidentify(files, scratch / "after", recipe)
    before = converted(before_folder, scratch / "nifti-before")
    after = converted(scratch / "after", scratch / "nifti-after")
    assert before and before.keys() == after.keys()
    return [_compare(before[name], after[name]) for name in before]


def _compare(before: Path, after: Path) -> dict[str, object]:
    old, new = nibabel.load(before), nibabel.load(after)
    assert np.array_equal(np.asanyarray(old.dataobj), np.asanyarray(new.dataobj))
    assert np.allclose(old.affine, new.affine, atol=1e-6)
    for suffix in (".bvec", ".bval"):
        one, other = before.with_suffix(suffix), after.with_suffix(suffix)
        assert one.exists() == other.exists()
        assert not one.exists() or one.read_text() == other.read_text()
    said, says = (json.loads(path.with_suffix(".json").read_text()) for path in (before, after))
    assert {key: said.get(key) for key in KEYS} == {key: says.get(key) for key in KEYS}
    return dict(said)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("orientation", sorted(ORIENTATIONS))
def test_a_mosaic_keeps_its_places_and_times(orientation: str, flipped: bool, version: int, tmp_path: Path) -> None:
    files = []
    for volume in (1, 3):
        files.append(tmp_path / f"{volume}.dcm")
        files[-1].write_bytes(Mosaic(orientation, flipped, version, volume=volume).tobytes())
    (said,) = assert_alike(files, tmp_path)
    told = {"PhaseEncodingDirection", "SliceTiming", "EffectiveEchoSpacing", "TotalReadoutTime"}
    assert (told <= said.keys()) is (version == 2)  # of CSA1 headers dcm2niix reads less


def test_a_diffusion_mosaic_keeps_its_gradients(tmp_path: Path) -> None:
    files = []
    for volume, b_value in enumerate((0, 1000, 1000, 0), 1):
        files.append(tmp_path / f"{volume}.dcm")
        files[-1].write_bytes(Mosaic("oblique", volume=volume, b_value=b_value).tobytes())
    assert_alike(files, tmp_path)
    assert (tmp_path / "nifti-after").joinpath(next(tmp_path.glob("nifti-before/*.bvec")).name).exists()


@pytest.mark.parametrize("recipe", ["research", "limited-dataset"])
@pytest.mark.parametrize("series", ["axasc35", "corint36", "sagint35"])
def test_a_real_mosaic_series_keeps_them(series: str, recipe: str, tmp_path: Path) -> None:
    files = sorted((REAL / series).glob("*.dcm"))
    if not files:
        reason = f"there is no real mosaic series at {REAL / series}: only those that tests make were converted"
        print(reason)
        pytest.skip(reason)
    (said,) = assert_alike(files, tmp_path, recipe)
    assert {"PhaseEncodingDirection", "SliceTiming", "TotalReadoutTime"} <= said.keys()


def test_a_real_series_of_slices_keeps_them(tmp_path: Path) -> None:
    files = sorted((REAL.parent / "mr_t1").glob("*.dcm"))
    if not files:
        reason = f"there is no real series at {REAL.parent / 'mr_t1'}: only those that tests make were converted"
        print(reason)
        pytest.skip(reason)
    (said,) = assert_alike(files, tmp_path)
    assert {"Modality", "ImageOrientationPatientDICOM"} <= said.keys()


@pytest.mark.parametrize("name", ["siemens_dwi_0", "siemens_dwi_1000", "philips_mprage"])
def test_what_nibabel_ships_keeps_them(name: str, tmp_path: Path) -> None:
    path = tmp_path / "1.dcm"
    path.write_bytes(gzip.decompress((NIBABEL / f"{name}.dcm.gz").read_bytes()))
    assert_alike([path], tmp_path)


@pytest.mark.parametrize(
    ("maker", "told"),
    [
        ("xa", {"PhaseEncodingDirection", "SliceTiming", "EffectiveEchoSpacing", "TotalReadoutTime", "DwellTime"}),
        ("ge", {"SliceTiming", "EffectiveEchoSpacing", "TotalReadoutTime"}),
    ],
)
def test_other_makers_keep_their_timing(maker: str, told: set[str], tmp_path: Path) -> None:
    files = []
    for number, ds in enumerate(slices_of(maker), 1):
        files.append(tmp_path / f"{number}.dcm")
        ds.save_as(files[-1], enforce_file_format=True)
    (said,) = assert_alike(files, tmp_path)
    assert told <= said.keys()
