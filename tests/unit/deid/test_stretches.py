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

from sendit.deid import Deidentifier, Pseudonyms
from sendit.deid.recipe import parse_recipe
from sendit.deid.stretches import EVERY, FIRST_IMAGES, Stretch

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


def stretches(together: Deidentifier) -> list[Stretch]:
    assert together._only_plan is not None
    roots = together._only_plan._roots.values()
    levels = [level for root in roots for level in (root, *root._charsets.values())]
    return [deed for level in levels for _, deed in level.actions.values() if isinstance(deed, Stretch)]


def test_most_of_a_series_is_recognized() -> None:
    together = deidentifier()
    path = get_testdata_file("CT_small.dcm", download=False)
    assert path is not None
    image = pydicom.dcmread(path)
    for number in range(5):
        image.InstanceNumber, image.SOPInstanceUID = number, f"1.2.3.{number}"
        header = encoded(image)
        together.deidentify(header).close()
    shared = sum(len(stretch.source) for stretch in stretches(together))
    assert shared > 0.8 * (len(header) - len(image.PixelData))


def test_a_recipe_with_functions_recognizes_nothing_for_they_see_the_whole_image() -> None:
    recipe = parse_recipe("FORMAT dicom\n%header\nREPLACE PatientID func:number")
    variables = {"number": lambda dicom, value, field, item: str(dicom.InstanceNumber)}
    together = Deidentifier(recipe, Pseudonyms(KEY), variables)
    for image in series(0):
        out = pydicom.dcmread(io.BytesIO(together.deidentify(image).tobytes()))
        assert out.get("PatientID", str(out.InstanceNumber)) == str(out.InstanceNumber)
    assert not stretches(together)
