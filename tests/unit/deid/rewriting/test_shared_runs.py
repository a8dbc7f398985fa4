"""What is recognized by its bytes comes out as what is walked."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from sendit.deid import Deidentifier, Pseudonyms, load_recipe
from sendit.deid.recipe.recipe import parse_recipe
from sendit.deid.rewriting.account import Account
from sendit.deid.rewriting.shared_runs import EVERY, FIRST_IMAGES, SharedRun

KEY = b"a key of tests, 16+"
RECIPE = parse_recipe("""FORMAT dicom
%header
REMOVE select:private:yes
REMOVE InstitutionName
BLANK select:VR:PN
REPLACE PatientID var:entity_id
REPLACE select:VR:UI deid_func:pydicom_uuid
JITTER select:VR:DA var:jitter
ADD PatientIdentityRemoved YES
ADD DeidentificationMethod by a test
ADD LongitudinalTemporalInformationModified MODIFIED
""")
VARIABLES: dict[str, Any] = {"entity_id": "p1", "jitter": -12}
PRIVATE_VARIABLES = VARIABLES | {"entity_name": "p1", "item_id": "s1"}
IMAGES = FIRST_IMAGES + 2 * EVERY


def deidentifier() -> Deidentifier:
    return Deidentifier(RECIPE, Pseudonyms(KEY), VARIABLES)


def encoded(dataset: Dataset) -> bytes:
    stream = io.BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


def series(seed: int) -> Iterator[bytes]:
    """Images alike but for a handful of elements, which ones changing now and then; some come and go."""
    rng = random.Random(seed)
    path = get_testdata_file("CT_small.dcm", download=False)
    assert path is not None
    image = pydicom.dcmread(path)
    names = ["SliceLocation", "PatientID", "StudyDate", "KVP", "ProtocolName", "InstitutionName", "AcquisitionNumber"]
    for number in range(IMAGES):
        image.InstanceNumber = number
        image.SOPInstanceUID = f"1.2.3.{seed}.{number}"
        for name in rng.sample(names, rng.choice([0, 0, 1, 2])):
            if name in image and rng.random() < 0.3:
                del image[name]
            else:
                setattr(image, name, rng.choice(["1", "7"]) if name != "StudyDate" else rng.choice(["20040119", ""]))
        if rng.random() < 0.1:
            item = Dataset()
            item.ReferencedSOPInstanceUID = f"1.2.3.{rng.randrange(3)}"
            image.ReferencedImageSequence = Sequence([item])
        if rng.random() < 0.05:
            image.PatientIdentityRemoved = rng.choice(["NO", "YES"])
        yield encoded(image)


@pytest.mark.parametrize("seed", range(6))
def test_a_series_comes_out_as_its_images_do_one_by_one(seed: int) -> None:
    together = deidentifier()
    for image in series(seed):
        assert together.deidentify(image).tobytes() == deidentifier().deidentify(image).tobytes()


SAFE = {"GEMS_IDEN_01": (0x0009, [(0x02, "SH", "A"), (0x27, "SL", 5), (0x30, "SH", "B")])}
SAFE["GEMS_ACQU_01"] = (0x0019, [(0x02, "SL", 7), (0x11, "SS", 1), (0x17, "SS", 2), (0x18, "LO", "L"), (0x39, "SS", 3)])
SAFE["GEMS_PARM_01"] = (0x0043, [(0x10, "US", 4), (0x1A, "SL", 5), (0x27, "SH", "1.5:1"), (0x40, "FL", 0.5)])


def ct() -> Dataset:
    image = Dataset()
    image.SOPClassUID, image.file_meta = "1.2.840.10008.5.1.4.1.1.2", pydicom.dataset.FileMetaDataset()
    image.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    return image


def private_series(seed: int) -> Iterator[bytes]:
    """Images with blocks whose creators come, go and change their names, and elements outside any."""
    rng = random.Random(seed)
    image = ct()
    blocks = {(name, block): name for name in SAFE for block in (0x10, 0x11)}
    for number in range(IMAGES):
        image.InstanceNumber = number
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{seed}.{number}"
        if rng.random() < 0.2:
            place = rng.choice(list(blocks))
            blocks[place] = rng.choice([*SAFE, "SOMEBODY ELSE", "", ""])
        for tag in [element.tag for element in image if element.tag.is_private]:
            del image[tag]
        for (name, block), creator in blocks.items():
            group, elements = SAFE[name]
            if creator:
                image.add_new((group, block), "LO", creator)
            for element, vr, value in elements:
                if rng.random() > 0.03:
                    changed = isinstance(value, int) and rng.random() < 0.02
                    image.add_new((group, block << 8 | element), vr, value + 1 if changed else value)
        yield encoded(image)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", ["research", "basic"])
def test_private_blocks_come_out_as_they_do_one_by_one(seed: int, name: str) -> None:
    recipe = load_recipe(name)
    together, alone = Account(), Account()
    series = Deidentifier(recipe, Pseudonyms(KEY), PRIVATE_VARIABLES)
    for image in private_series(seed):
        one = series.deidentify(image)
        two = Deidentifier(recipe, Pseudonyms(KEY), PRIVATE_VARIABLES).deidentify(image)
        assert one.tobytes() == two.tobytes()
        together.add(one.done)
        alone.add(two.done)
    assert together.rows() == alone.rows()
    assert name != "research" or any(run.blocks for run in shared_runs(series))
    assert name != "research" or any(run.pieces for run in shared_runs(series))


def test_a_creator_stays_only_in_the_images_where_an_element_of_its_block_does() -> None:
    image = ct()
    series = Deidentifier(load_recipe("research"), Pseudonyms(KEY), PRIVATE_VARIABLES)
    for number in range(IMAGES):
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        image.KVP, image.DataCollectionDiameter = 100, 500
        image.add_new(0x00190010, "LO", "GEMS_ACQU_01")
        if number % 2:
            image.add_new(0x00191002, "SL", number)
        out = pydicom.dcmread(io.BytesIO(series.deidentify(encoded(image)).tobytes()))
        assert (0x00190010 in out) == (0x00191002 in out) == bool(number % 2)
        image.pop(0x00191002, None)
    assert any(run.pieces for run in shared_runs(series))


def shared_runs(together: Deidentifier) -> list[SharedRun]:
    assert together._only_plan is not None
    roots = together._only_plan._roots.values()
    plans = [plan for root in roots for plan in (root, *root._charsets.values())]
    return [action for plan in plans for _, action in plan.actions.values() if isinstance(action, SharedRun)]


def test_most_of_a_series_is_recognized() -> None:
    together = deidentifier()
    path = get_testdata_file("CT_small.dcm", download=False)
    assert path is not None
    image = pydicom.dcmread(path)
    for number in range(5):
        image.InstanceNumber, image.SOPInstanceUID = number, f"1.2.3.{number}"
        header = encoded(image)
        together.deidentify(header).close()
    shared = sum(len(run.source) for run in shared_runs(together))
    assert shared > 0.8 * (len(header) - len(image.PixelData))


def test_a_recipe_with_functions_recognizes_nothing_for_they_see_the_whole_image() -> None:
    recipe = parse_recipe("FORMAT dicom\n%header\nREPLACE PatientID func:number")
    variables = {"number": lambda dicom, value, field, item: str(dicom.InstanceNumber)}
    together = Deidentifier(recipe, Pseudonyms(KEY), variables)
    for image in series(0):
        out = pydicom.dcmread(io.BytesIO(together.deidentify(image).tobytes()))
        assert out.get("PatientID", str(out.InstanceNumber)) == str(out.InstanceNumber)
    assert not shared_runs(together)
