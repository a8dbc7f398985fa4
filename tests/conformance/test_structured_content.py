"""Reports, key objects, presentation states and waveforms: what identifies goes from every place, and findings stay."""

from __future__ import annotations

import io
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from sendit.deid import Deidentifier, Identifier, Pseudonyms, load_recipe, read_header
from sendit.deid.identifiers.identifiers import extract
from sendit.deid.recipe.screen import screen
from tests.support.dciodvfy import errors_of
from tests.support.phantoms import bundled
from tests.support.structured import OBJECTS, SECRETS, UID, electrocardiogram, presentation_state, report, written

KEY = b"a key of this conformance test"
RECIPES = ("research", "limited-dataset")
REAL = ("test-SR.dcm", "reportsi.dcm", "reportsi_with_empty_number_tags.dcm", "waveform_ecg.dcm")


def deidentified(data: bytes, recipe: str = "research") -> bytes:
    """What comes out where the identifiers of the image itself are known."""
    header = read_header(data)
    assert screen(header, load_recipe(recipe)).passed
    variables = {"entity_id": "E1", "item_id": "I1", "jitter": 5}
    return Deidentifier(load_recipe(recipe), Pseudonyms(KEY), variables, extract(header)).deidentify(data).tobytes()


@cache
def output(name: str, recipe: str = "research") -> bytes:
    return deidentified(written(OBJECTS[name]()), recipe)


def read(data: bytes) -> Dataset:
    return dcmread(io.BytesIO(data))


def content_items(ds: Dataset) -> Iterator[Dataset]:
    for one in ds.get("ContentSequence", []):
        yield one
        yield from content_items(one)


def concept(one: Dataset) -> str:
    return str(one.ConceptNameCodeSequence[0].CodeValue) if "ConceptNameCodeSequence" in one else ""


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", OBJECTS)
def test_nothing_that_identifies_is_left_anywhere(name: str, recipe: str) -> None:
    original, left = written(OBJECTS[name]()).lower(), output(name, recipe).lower()
    planted = [secret for secret in SECRETS if secret.encode() in original]
    assert len(planted) > 10
    assert [secret for secret in planted if secret.encode() in left] == []


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_object_is_as_valid_as_it_was(recipe: str, tmp_path: Path) -> None:
    originals = [*((name, written(make())) for name, make in OBJECTS.items())]
    originals += [(name, bundled(name).read_bytes()) for name in REAL]
    paths = []
    for number, (_, data) in enumerate(originals):
        before, after = tmp_path / f"{number}.dcm", tmp_path / f"{number}-out.dcm"
        before.write_bytes(data)
        after.write_bytes(deidentified(data, recipe))
        paths += [before, after]
    found = errors_of(paths)
    new = {name: found[2 * n + 1] - found[2 * n] for n, (name, _) in enumerate(originals)}
    assert {name: errors for name, errors in new.items() if errors} == {}


@pytest.mark.parametrize("name", REAL)
def test_the_structure_of_a_real_file_stays(name: str) -> None:
    before, after = dcmread(bundled(name)), read(deidentified(bundled(name).read_bytes()))

    def shape(ds: Dataset) -> list[object]:
        return [(str(one.get("ValueType")), concept(one), shape(one)) for one in ds.get("ContentSequence", [])]

    assert shape(before) == shape(after)
    assert len(before.get("WaveformAnnotationSequence", [])) == len(after.get("WaveformAnnotationSequence", []))


def test_numbers_units_and_codes_of_the_standard_stay() -> None:
    for name in ("report", "dose report"):
        before, after = read(written(OBJECTS[name]())), read(output(name))
        for old, new in zip(content_items(before), content_items(after), strict=True):
            if old.ValueType == "NUM":
                measured, left = old.MeasuredValueSequence[0], new.MeasuredValueSequence[0]
                assert left.NumericValue == measured.NumericValue
                assert left.MeasurementUnitsCodeSequence == measured.MeasurementUnitsCodeSequence
            if (
                old.get("ConceptNameCodeSequence")
                and old.ConceptNameCodeSequence[0].CodingSchemeDesignator != "99BRANNOCK"
            ):
                assert new.ConceptNameCodeSequence == old.ConceptNameCodeSequence


def test_what_a_text_says_of_the_finding_stays() -> None:
    texts = [
        str(one.TextValue)
        for one in content_items(read(output("report")))
        if concept(one) == "121071" and "TextValue" in one
    ]
    assert len(texts) == 1
    assert "nodule in the right upper lobe, 12 mm" in texts[0]


def test_names_uids_and_dates_of_content_items_become_what_they_may_be() -> None:
    found = {concept(one): one for one in content_items(read(output("report")))}
    uid = Pseudonyms(KEY).uid
    assert found["121152"].PersonName == found["121008"].PersonName == "REMOVED"
    assert uid(f"{UID}.5") == found["112040"].UID
    assert found["121180"].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == uid(f"{UID}.9")
    assert (found["111060"].Date, found["111526"].DateTime, found["111061"].Time) == (
        "20200205",
        "20200205101112",
        "101112",
    )
    assert found["121031"].Date == "19000101"
    assert found["121022"].TextValue == "REMOVED"


def test_graphics_go_on_to_refer_to_their_layer_where_its_name_identified() -> None:
    ds = presentation_state()
    other = deepcopy(ds.GraphicAnnotationSequence[0])
    other.GraphicLayer = "DR LINDQVIST"
    plain = deepcopy(ds.GraphicAnnotationSequence[0])
    plain.GraphicLayer = "MEASUREMENTS"
    ds.GraphicAnnotationSequence += [other, plain]
    for layer in ("DR LINDQVIST", "MEASUREMENTS"):
        more = deepcopy(ds.GraphicLayerSequence[0])
        more.GraphicLayer = layer
        ds.GraphicLayerSequence.append(more)
    out = read(deidentified(written(ds)))
    layers = [one.GraphicLayer for one in out.GraphicLayerSequence]
    assert [one.GraphicLayer for one in out.GraphicAnnotationSequence] == layers
    assert len(set(layers)) == 3
    assert layers[2] == "MEASUREMENTS"
    assert not any("LIND" in layer or "FERR" in layer for layer in layers)


def test_graphics_and_their_texts_stay() -> None:
    marks = read(output("presentation state")).GraphicAnnotationSequence[0]
    assert "nodule in the right upper lobe, 12 mm" in marks.TextObjectSequence[0].UnformattedTextValue
    assert marks.TextObjectSequence[1].UnformattedTextValue == "12 mm"
    assert marks.GraphicObjectSequence[0].GraphicData == [1.0, 2.0, 3.0, 4.0]


def test_samples_and_measurements_of_a_waveform_stay() -> None:
    before, after = electrocardiogram(), read(output("electrocardiogram"))
    group, left = before.WaveformSequence[0], after.WaveformSequence[0]
    assert left.WaveformData == group.WaveformData
    assert [one.ChannelLabel for one in left.ChannelDefinitionSequence] == ["I", "Lead II"]
    annotations = after.WaveformAnnotationSequence
    assert annotations[1].UnformattedTextValue == "SINUS RHYTHM"
    assert (annotations[3].NumericValue, annotations[3].ReferencedDateTime) == (982, "20200205101112")


def test_what_the_residual_scan_finds_in_a_report_never_leaves() -> None:
    """A name that only another image of the study knows is searched for in the report, too."""
    ds = report()
    ds.ContentSequence[13].TextValue = "no nodule. xylander"
    data = written(ds)
    known = (*extract(read_header(data)), Identifier("name", "Xylander"))
    variables = {"entity_id": "E1", "item_id": "I1", "jitter": 5}
    done = Deidentifier(load_recipe("research"), Pseudonyms(KEY), variables, known).deidentify(data).tobytes()
    assert b"xylander" not in done.lower()
