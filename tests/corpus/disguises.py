"""Identifiers where a dataset's reader does not look: around it, under other VRs, in content items."""

from __future__ import annotations

import io
import random
import warnings

from pydicom import Dataset, dcmwrite
from pydicom.dataelem import DataElement
from pydicom.sequence import Sequence
from pydicom.uid import UID

from tests.corpus.checks import removed, retained, same, there
from tests.corpus.studies import ROOT, Instance
from tests.support.streams import BY_NAME, IMPLICIT, even

SYNTAXES = {name: syntax.uid for name, syntax in BY_NAME.items()} | {"deflated": "1.2.840.10008.1.2.1.99"}


def disguise(instance: Instance) -> None:
    """Hide identifiers in the dataset."""
    ds, study = instance.dataset, instance.study
    colleague, patient = study.staff[0], study.patient
    ds.file_meta.SourceApplicationEntityTitle = colleague.family[:16].upper()
    ds.file_meta.SendingApplicationEntityTitle = study.place.station[:16]
    ds.file_meta.ImplementationVersionName = colleague.family[:16]
    ds.file_meta.PrivateInformationCreatorUID = f"{ROOT}.{study.number}.5"
    ds.file_meta.PrivateInformation = even(f"{colleague.name} {patient.patient_id}".encode())
    ds.add_new(0xFFFCFFFC, "OB", even(f"{colleague.name} {patient.patient_id}".encode() + bytes(7)))
    _as_unknown(instance, 0x00104000, f"{colleague.family} {patient.mail}")
    _as_unknown(instance, 0x00321032, colleague.name)
    _as_unknown(instance, 0x00380010, patient.patient_id)
    inner = IMPLICIT.element(0x00100020, "LO", even(patient.patient_id.encode())) + IMPLICIT.element(
        0x00100010, "PN", even(colleague.name)
    )
    ds.add_new(0x00091101, "UN", IMPLICIT.item(inner))
    ds[0x00401010] = DataElement(0x00401010, "LO", colleague.name)  # Names of Intended Recipients, a PN
    instance.planted.add((0x00401010,))


def _as_unknown(instance: Instance, tag: int, text: str) -> None:
    if tag not in instance.dataset:
        instance.dataset[tag] = DataElement(tag, "UN", even(text.encode()))
        instance.planted.add((tag,))
        instance.checks.append(removed((tag,), text))


# ---------------------------------------------------------------------------------------------- content trees


def plant_content(instance: Instance) -> None:
    """Content items of every Value Type, with identifiers in those that can have them (PS3.3 C.17.3)."""
    ds, study = instance.dataset, instance.study
    colleague, day = study.staff[0], study.day.strftime("%Y%m%d")
    items = list(ds.get("ContentSequence", []))
    first = len(items)
    said = f"No pneumothorax. Discussed with Dr. {colleague.family}, patient {study.patient.patient_id}."
    items += [
        _content("TEXT", "121071", "Finding", TextValue=said),
        _content("PNAME", "121008", "Person Observer Name", "HAS OBS CONTEXT", PersonName=colleague.name),
        _content("UIDREF", "121018", "Procedure Study Instance UID", "HAS OBS CONTEXT", UID=study.uid),
        _content("DATE", "121125", "Date", Date=day),
        _content("DATETIME", "121024", "DateTime", DateTime=day + "101500"),
        _content("TIME", "121126", "Time", Time="101500"),
        _content("NUM", "121206", "Distance", MeasuredValueSequence=Sequence([_measured("12.5")])),
        _content("CODE", "121071", "Finding", ConceptCodeSequence=Sequence([_code("36118008", "SCT", "Pneumothorax")])),
        _content(
            "IMAGE", "121191", "Referenced Segment", ReferencedSOPSequence=Sequence([_instance(study.instances[0])])
        ),
        _content("COMPOSITE", "121191", "Source", ReferencedSOPSequence=Sequence([_instance(study.instances[-1])])),
    ]
    ds.ContentSequence = Sequence(items)
    text = (0x0040A730, first, 0x0040A160)
    instance.checks += [removed(text, colleague.family, study.patient.patient_id), retained(text, "pneumothorax")]
    instance.checks.append(removed((0x0040A730, first + 1, 0x0040A123), colleague.family, colleague.given))
    measured = (0x0040A730, first + 6, 0x0040A300, 0, 0x0040A30A)
    instance.checks += [there(measured), same(measured, DataElement(0x0040A30A, "DS", "12.5"))]
    meaning = (0x0040A730, first + 7, 0x0040A168, 0, 0x00080104)
    instance.checks += [there(meaning), retained(meaning, "pneumothorax")]
    for number, keyword in enumerate(VALUE_TYPES, first):
        path = (0x0040A730, number, 0x0040A040)
        instance.checks += [there(path), same(path, DataElement(0x0040A040, "CS", keyword))]


VALUE_TYPES = ("TEXT", "PNAME", "UIDREF", "DATE", "DATETIME", "TIME", "NUM", "CODE", "IMAGE", "COMPOSITE")


def _content(value_type: str, code: str, meaning: str, relation: str = "CONTAINS", **value: object) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = relation, value_type
    item.ConceptNameCodeSequence = Sequence([_code(code, "DCM", meaning)])
    for keyword, one in value.items():
        setattr(item, keyword, one)
    return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _measured(number: str) -> Dataset:
    item = Dataset()
    item.NumericValue = number
    item.MeasurementUnitsCodeSequence = Sequence([_code("mm", "UCUM", "millimeter")])
    return item


def _instance(other: Instance) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = other.dataset.SOPClassUID, other.uid
    return item


# ---------------------------------------------------------------------------------------------- bytes


def encode(instance: Instance, syntax: str, draw: random.Random) -> bytes:
    """The file: what is not compressed in the transfer syntax, with something before and behind the dataset."""
    ds = instance.dataset
    given = UID(ds.file_meta.TransferSyntaxUID)
    if not given.is_compressed and given.is_little_endian:
        ds.file_meta.TransferSyntaxUID = SYNTAXES[syntax]
    for element in ds.iterall():
        if element.VR == "SQ":
            element.is_undefined_length = draw.random() < 0.5
    ds.preamble = f"{instance.study.patient.patient_id} {instance.study.staff[0].name}".encode().ljust(128, b"\0")[:128]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcmwrite(out := io.BytesIO(), ds, enforce_file_format=True)
    behind = (
        instance.study.staff[1].name.encode()
        if "PixelData" in ds and not ds.file_meta.TransferSyntaxUID.is_deflated
        else b""
    )
    return out.getvalue() + behind
