"""Puts identifiers into a dataset, each with the check that says what is to become of it under the research recipe."""

from __future__ import annotations

import random
import unicodedata
import warnings
from collections.abc import Iterator
from datetime import timedelta
from functools import cache

from pydicom import Dataset
from pydicom._dicom_dict import DicomDictionary
from pydicom.charset import encode_string, python_encoding
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.sequence import Sequence

from sendit.deid.standard.profile_table import ProfileRow, table
from tests.corpus.checks import Path, Private, removed, retained, shifted_in_text
from tests.corpus.studies import ROOT, Instance, Study
from tests.corpus.wording import Typed, Wording, typed

LENGTHS = {"SH": 16, "LO": 64, "AE": 16, "CS": 16, "ST": 1024, "LT": 10240, "UC": 10240, "UT": 10240, "PN": 64}
NESTS = (
    "AnatomicRegionSequence",
    "AnatomicRegionModifierSequence",
    "SourceImageSequence",
    "PurposeOfReferenceCodeSequence",
    "ReferencedSeriesSequence",
    "ReferencedInstanceSequence",
)
"""Sequences that stay, in which attributes are planted to any depth."""
CLEANED_ELSEWHERE = frozenset({0x00180010, 0x00321070, 0x00102110, 0x00102000, 0x00380500})
"""Cleaned attributes that hold a substance or a state, planted nowhere."""


def plant(instance: Instance, wording: Wording, draw: random.Random, days: int) -> None:
    """Make the dataset that of its patient and study, and plant in it."""
    ds, study = instance.dataset, instance.study
    ds.SpecificCharacterSet = instance.charset.split("\\") if "\\" in instance.charset else instance.charset
    _identify(instance)
    _refer(instance)
    _date(instance)
    _name_people(instance)
    for keyword in NESTS[: draw.randrange(1, len(NESTS))]:
        _nest(ds, keyword)
    texts = _texts(study, wording, draw)
    for path, dataset in _places(ds):
        _plant_texts(instance, path, dataset, texts, draw, days)
        _plant_table(instance, path, dataset, draw)
    _plant_retired(instance, draw)
    _plant_privately(instance, wording, draw)
    _plant_in_repeating_groups(instance)


def is_encodable(text: str, charset: str) -> bool:
    """Whether a Specific Character Set has all the characters."""
    first = charset.split("\\")[0]
    if text.isascii() or (first in ("", "ISO 2022 IR 13") and any("\x80" <= letter <= "\xff" for letter in text)):
        return text.isascii()  # neither repertoire has an umlaut, which Python's encodings of them have
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            encode_string(text, [python_encoding[term] for term in charset.split("\\")])
        except (UnicodeError, UserWarning):
            return False
    return True


# ---------------------------------------------------------------------------------------------- whose, when, where


def _identify(instance: Instance) -> None:
    ds, study, patient = instance.dataset, instance.study, instance.study.patient
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = patient.name, patient.patient_id, patient.birth_date
    ds.PatientMotherBirthName, ds.OtherPatientNames = patient.mother, patient.name
    ds.PatientTelephoneNumbers = patient.telephone
    ds.PatientAddress = _fitting(f"{patient.street}, {patient.city}", instance.charset)
    other = Dataset()
    other.PatientID, other.PatientName = patient.other_id, patient.name
    other.IssuerOfPatientID = _fitting(study.place.institution, instance.charset)
    ds.OtherPatientIDsSequence = Sequence([other])
    ds.AccessionNumber, ds.StudyID = study.accession, str(study.number)[:16]
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study.uid, instance.series_uid
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = instance.uid
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.SeriesNumber, ds.InstanceNumber = instance.series, instance.number
    ds.PatientAge, ds.PatientSex, ds.PatientWeight, ds.PatientSize = "047Y", "F", "61.5", "1.68"
    if "FrameOfReferenceUID" in ds:
        ds.FrameOfReferenceUID = study.frame_of_reference


def _refer(instance: Instance) -> None:
    """To the other images of the study, and to the study before; where there is none, to one that is nowhere."""
    ds, study = instance.dataset, instance.study
    others = [other for other in study.instances if other is not instance]
    ds.ReferencedImageSequence = Sequence([_reference(o.dataset.SOPClassUID, o.uid) for o in others])
    uid, image = f"{ROOT}.{study.number}.77", f"{ROOT}.{study.number}.78"
    if study.before is not None:
        uid, image = study.before.uid, study.before.instances[0].uid
    ds.ReferencedStudySequence = Sequence([_reference("1.2.840.10008.3.1.2.3.1", uid)])
    ds.SourceImageSequence = Sequence([_reference(ds.SOPClassUID, image)])
    series = Dataset()
    series.SeriesInstanceUID = others[0].series_uid
    series.ReferencedInstanceSequence = Sequence([_reference(others[0].dataset.SOPClassUID, others[0].uid)])
    ds.ReferencedSeriesSequence = Sequence([series])


def _reference(sop_class: str, uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
    return item


def _date(instance: Instance) -> None:
    ds, day = instance.dataset, instance.study.day
    for keyword, later in (("StudyDate", 0), ("SeriesDate", 0), ("AcquisitionDate", 1), ("ContentDate", 1)):
        setattr(ds, keyword, (day + timedelta(days=later)).strftime("%Y%m%d"))
    ds.StudyTime, ds.SeriesTime, ds.ContentTime = "081501", "082000.5", "0830"
    ds.AcquisitionDateTime = day.strftime("%Y%m%d") + "081512.250000+0100"
    ds.InstanceCreationDate = (day + timedelta(days=2)).strftime("%Y%m%d")
    ds.DateOfLastCalibration = [(day - timedelta(days=40)).strftime("%Y%m%d"), day.strftime("%Y%m%d")]
    ds.add_new(0x00380020, "DA", (day - timedelta(days=1)).strftime("%Y%m%d"))  # Admitting Date


def _name_people(instance: Instance) -> None:
    ds, (first, second), place = instance.dataset, instance.study.staff, instance.study.place
    ds.ReferringPhysicianName, ds.OperatorsName = first.name, [second.name, first.name]
    ds.PerformingPhysicianName, ds.NameOfPhysiciansReadingStudy = second.name, first.name
    ds.RequestingPhysician = second.name
    institution, address = (_fitting(text, instance.charset) for text in (place.institution, place.address))
    ds.InstitutionName, ds.InstitutionalDepartmentName = institution, place.department
    ds.InstitutionAddress, ds.StationName = address, place.station[:16]
    person = Dataset()
    person.PersonAddress, person.PersonTelephoneNumbers, person.InstitutionName = address, place.telephone, institution
    ds.ReferringPhysicianIdentificationSequence = Sequence([person])


def _fitting(text: str, charset: str) -> str:
    """The text as the character set can write it."""
    if is_encodable(text, charset):
        return text
    return "".join(part for part in unicodedata.normalize("NFD", text) if part.isascii())


def _nest(ds: Dataset, keyword: str) -> None:
    """Put the sequence into the innermost item there is of those before."""
    innermost = [dataset for _, dataset in _places(ds)][-1]
    if keyword not in innermost:
        setattr(innermost, keyword, Sequence([Dataset()]))


def _places(ds: Dataset) -> Iterator[tuple[Path, Dataset]]:
    """The root, and the first items of the NESTS within one another."""
    path: Path = ()
    while True:
        yield path, ds
        keyword = next((one for one in NESTS if one in ds and len(ds[one].value)), None)
        if keyword is None:
            return
        path, ds = (*path, tag_for_keyword(keyword), 0), ds[keyword].value[0]  # type: ignore[assignment]


# ---------------------------------------------------------------------------------------------- typed texts


def _texts(study: Study, wording: Wording, draw: random.Random) -> dict[str, list[Typed]]:
    day = study.day - timedelta(days=40)
    filled = {
        kind: [typed(template, study.fields(), day) for template in templates]
        for kind, templates in (("long", wording.texts), ("short", wording.short_texts), ("clean", wording.clean_texts))
    }
    for several in filled.values():
        draw.shuffle(several)
    return filled


@cache
def _descriptors() -> tuple[int, ...]:
    rows = [row for row in table().rows if row.codes.get("Clean Descriptors") == "C" and row.is_one_attribute]
    wanted = [row.number for row in rows if _vr(row.number) in LENGTHS and _vr(row.number) != "CS"]
    return tuple(tag for tag in wanted if tag not in CLEANED_ELSEWHERE)


def _plant_texts(
    instance: Instance, path: Path, ds: Dataset, texts: dict[str, list[Typed]], draw: random.Random, days: int
) -> None:
    for tag in draw.sample(_descriptors(), 8 if path else 14):
        if tag in ds and not path and ds[tag].VR == "SQ":
            continue
        limit = LENGTHS[_vr(tag)]
        one = draw.choice([*texts["long"], *texts["clean"], *texts["short"]])
        if len(one.text) > limit or not is_encodable(one.text, instance.charset):
            continue
        ds.add_new(tag, _vr(tag), one.text)
        where = (*path, tag)
        instance.planted.add(where)
        if one.gone:
            instance.checks.append(removed(where, *one.gone))
        instance.checks += [retained(where, word) for word in one.kept]
        instance.checks += [shifted_in_text(where, day, form, days) for day, form in one.days]


# ---------------------------------------------------------------------------------------------- the table


@cache
def _goners() -> tuple[ProfileRow, ...]:
    """Rows whose attribute goes or has its value changed, and can hold a word."""
    wanted = [row for row in table().rows if row.is_one_attribute and row.number > 0x00080000]
    wanted = [row for row in wanted if not set(row.codes.values()) and row.basic != "U" and row.number < 0xFFFA0000]
    return tuple(row for row in wanted if _vr(row.number) in ("LO", "SH", "LT", "ST", "UT", "PN", "UC", "CS", "AE"))


def _plant_table(instance: Instance, path: Path, ds: Dataset, draw: random.Random) -> None:
    """Secrets in attributes that the table takes away."""
    words = [one.text for one in instance.study.secrets if one.kind in ("name", "id") and one.text.isascii()]
    names = [word for word in words if word.isalpha()]
    for row in draw.sample(_goners(), 16 if path else 50):
        vr = _vr(row.number)
        word = draw.choice(names if vr == "PN" else words)
        if row.number in ds or len(word) > LENGTHS[vr] or (vr == "CS" and not word.isalpha()):
            continue
        ds.add_new(row.number, vr, word.upper() if vr == "CS" else word)
        instance.planted.add((*path, row.number))
        instance.checks.append(removed((*path, row.number), word))


def _plant_retired(instance: Instance, draw: random.Random) -> None:
    """Secrets in attributes that PS3.6 has retired, or never had."""
    ds, word = instance.dataset, instance.study.accession
    for tag in draw.sample(_retired(), 12):
        if tag not in ds and len(word) <= LENGTHS[_vr(tag)]:
            ds.add_new(tag, _vr(tag), word)
            _gone(instance, (tag,), word)
    ds.add_new(0x001899F1, "LO", word)
    _gone(instance, (0x001899F1,), word)


@cache
def _retired() -> tuple[int, ...]:
    """Texts that PS3.6 has retired, but for those that an Option retains."""
    spared = {row.number for row in table().rows if row.is_one_attribute and "K" in row.codes.values()}
    retired = {tag for tag, entry in DicomDictionary.items() if entry[3] and entry[0] in LENGTHS and entry[0] != "CS"}
    return tuple(sorted(tag for tag in retired - spared if tag > 0x00080004))


def _plant_in_repeating_groups(instance: Instance) -> None:
    ds, word = instance.dataset, instance.study.accession
    for tag, vr in ((0x50000022, "LO"), (0x50022500, "LO"), (0x60000022, "LO"), (0x60001500, "LO"), (0x60024000, "LT")):
        if tag not in ds:
            ds.add_new(tag, vr, word)
            _gone(instance, (tag,), word)


def _plant_privately(instance: Instance, wording: Wording, draw: random.Random) -> None:
    """Every VR in blocks of creators that nobody knows, at the root and in an item."""
    study = instance.study
    word = study.patient.patient_id
    values: dict[str, object] = {
        "LO": f"{study.staff[0].family} {word}",
        "SH": study.staff[0].family[:16],
        "PN": study.staff[0].name,
        "UN": word.encode(),
        "OB": study.staff[1].family.encode().ljust(40),
        "LT": f"call {study.patient.telephone}",
        "UT": study.patient.mail,
        "DA": study.day.strftime("%Y%m%d"),
        "DT": study.day.strftime("%Y%m%d") + "1200",
        "UI": study.uid,
        "AE": "AETITLE",
        "UC": study.patient.mail,
        "ST": study.staff[0].given,
        "IS": "42",
        "DS": "4.2",
        "US": 7,
        "FD": 0.5,
        "CS": "SECRET",
    }
    innermost = [dataset for _, dataset in _places(instance.dataset)][-1]
    for ds, path in ((instance.dataset, ()), (innermost, None)):
        creator = draw.choice(wording.creators)
        group = draw.choice((0x0009, 0x0029, 0x7FE1, 0x0033))
        block = ds.private_block(group, creator, create=True)
        for offset, (vr, value) in enumerate(values.items(), 1):
            block.add_new(offset, vr, value)
            if path is not None:
                _gone(instance, ((group, creator, offset),), str(value))


def _gone(instance: Instance, path: tuple[int | Private, ...], word: str) -> None:
    instance.planted.add(path)
    instance.checks.append(removed(path, word))


@cache
def _vr(tag: int) -> str:
    return dictionary_VR(tag).split(" or ")[0]
