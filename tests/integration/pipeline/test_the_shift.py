"""The date shift cannot be worked out from a delivery: somebody who has all of it, and nothing of the gateway, tries.

What is planted is made from PS3.6: every attribute that holds a date, a time or a UID, free texts and descriptions, and
private elements. The studies are of today and of the weeks before, as in a prospective project; one device made all.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydicom import Dataset, dcmread
from pydicom._dicom_dict import DicomDictionary
from pydicom.sequence import Sequence

from tests.support.site import Site, delivery_of

PATIENTS = 7
TODAY = datetime.now(UTC).date()
OF_THE_SITE = date(1985, 3, 4)
"""A calibration, an approval, a protocol's version: the same for all patients, and years from any study."""
LEFT_OUT = {
    "StudyInstanceUID", "SOPInstanceUID", "SOPClassUID", "PatientBirthDate", "FrameOfReferenceUID", "OverlayDate",
    # UIDs of things that are no patient's: classes, vocabularies, devices
    "CodingSchemeUID", "ContextUID", "DeviceUID", "ManufacturerDeviceClassUID", "MappingResourceUID",
    "OriginalSpecializedSOPClassUID", "ReferencedSOPClassUID", "RelatedGeneralSOPClassUID", "SOPClassesSupported",
}  # fmt: skip
SHARED = re.compile(
    "Calibration|OfManufacture$|OfInstallation$|EthicsCommittee|ApprovalStatus|Expiry|^ExpirationDate|ProductExpiration|Version$"
    "|^EffectiveDate|InformationIssue|HangingProtocol|SourceStrength|^ProcedureCreation|^ProcedureLast|^ProcedureExpiration"
)
"""Dates that are the device's, the trial's or the vocabulary's."""
TEXTS = {
    "StudyDescription": "control {:%A} {:%d %b %Y}",
    "StudyComments": "as on {:%a} {:%d.%m.%Y}, week {:%V/%G}",
    "ImageComments": "saved {:%Y-%m-%d}T10:00:00+02:00",
    "PatientComments": "seen {:%Y%m%d}101010+0200, since {:%B %Y}",
    "AdditionalPatientHistory": "fell on {:%B} {:%d}, {:%Y} ({:%a})",
    "ReasonForTheRequestedProcedure": "{:%G-W%V} control, 10:15 CEST",
    "RequestedProcedureDescription": "{:%d-%b-%Y} Thorax",
    "SequenceName": "fl3d {:%Y%m%d}",
    "StationName": "CT1 {:%d.%m.%Y}",
    "FilterType": "{:%a} {:%d %b %Y}",
    "DerivationDescription": "made {:%Y.%m.%d} from axial",
}
OF_MANY = {
    "ProtocolName": "MPRAGE {:%Y-%m-%d}",
    "SeriesDescription": "t1 {:%d.%m.%Y} cor",
    "AcquisitionProtocolName": "Brain {:%Y%m%d}",
    "AcquisitionProtocolDescription": "Version of {:%d %B %Y}",
    "AcquisitionDeviceProcessingDescription": "LUT {:%Y-%m-%d}",
    "SoftwareVersions": "syngo VE11C {:%Y-%m-%d}",
    "DeviceDescription": "coil of {:%d %b %Y}",
}


def study_date(number: int) -> date:
    """Of the numbered patient; the first one's study is of today."""
    return TODAY - timedelta(days=17 * number)


def keywords(vr: str) -> list[str]:
    """The attributes of PS3.6 with this VR that an image may hold."""
    return [
        entry[4]
        for tag, entry in sorted(DicomDictionary.items())
        if entry[0] == vr and entry[4] and not entry[3] and 0x0006 < tag >> 16 < 0xFFF0 and entry[4] not in LEFT_OUT
    ]


def temporal(day: date) -> dict[str, Any]:
    """Every attribute that holds a date, a time or a UID."""
    found: dict[str, Any] = dict.fromkeys(keywords("TM"), "101010")
    for name in (*keywords("DA"), *keywords("DT")):
        found[name] = f"{OF_THE_SITE if SHARED.search(name) else day:%Y%m%d}"
    found |= {name: f"{found[name]}101010.5+0200" for name in keywords("DT")}
    return found | dict.fromkeys(keywords("UI"), f"1.2.826.0.1.{day:%Y%m%d}101010.1")


def planted(number: int) -> dict[str, Any]:
    """The attributes of the numbered patient's images."""
    day = study_date(number)
    nested = Dataset()
    for name, value in temporal(day).items():
        setattr(nested, name, value)
    found = temporal(day) | {name: form.format(*[day] * 5) for name, form in TEXTS.items()}
    found |= {name: form.format(OF_THE_SITE) for name, form in OF_MANY.items()}
    found |= {
        "Manufacturer": "ACME",
        "TimezoneOffsetFromUTC": "+0200",
        "PatientAge": "034Y",
        "BurnedInAnnotation": "NO",
    }
    found |= {
        "ExposuresOnDetectorSinceManufactured": str(900_000 - number),
        "ExposuresOnDetectorSinceLastCalibration": str(99 - number),
    }
    return found | {"SourceImageSequence": Sequence([nested])}


def add_private_times(path: Path, day: date) -> None:
    """GE's and Siemens's private dates and times, as seconds since 1970 and as text."""
    moment = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=10)
    seconds = int(moment.timestamp())
    ds = dcmread(path)
    for group, creator in ((0x0009, "GEMS_IDEN_01"), (0x0019, "GEMS_ACQU_01"), (0x0043, "GEMS_PARM_01")):
        block = ds.private_block(group, creator, create=True)
        for element, vr, value in ((0xE3, "UL", seconds), (0xE4, "SL", seconds), (0xE5, "DS", str(seconds))):
            block.add_new(element, vr, value)
    block = ds.private_block(0x0051, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0E, "LO", f"{moment:%Y%m%d%H%M%S}")
    ds.save_as(path)


# ---------------------------------------------------------------------------------------------- what is delivered


@dataclass(frozen=True)
class Study:
    """What the attacker has of one patient, and, to judge guesses only, the true date."""

    true: date
    shifted: date
    values: dict[str, list[Any]]
    """Of the image, by the keywords that lead to an element; of the tables, by column."""
    times: list[float]
    """Of files and headers of files, in seconds since 1970."""

    @property
    def shift(self) -> int:
        return (self.shifted - self.true).days

    def texts(self) -> Iterator[tuple[str, str]]:
        """Every value as text."""
        for name, values in self.values.items():
            yield from ((name, str(value)) for value in values if value is not None)


def walked(ds: Dataset, path: str = "") -> Iterator[tuple[str, Any]]:
    for element in ds:
        name = f"{path}/{element.keyword or element.tag}"
        if element.VR == "SQ":
            for item in element.value:
                yield from walked(item, name)
        elif element.keyword != "PixelData":
            many = isinstance(element.value, list) or element.VM > 1
            yield from ((name, value) for value in (element.value if many else [element.value]))


def study(archive: Path, warehouse: Path, true: date) -> Study:
    """All that belongs to one archive."""
    load_id = archive.name.removesuffix(".tar.gz")
    beside = [path for path in archive.parents[4].rglob("*") if load_id in path.name]
    values: dict[str, list[Any]] = {"name": [str(archive)]}
    times = [path.stat().st_mtime for path in (*beside, archive.parent)]
    for path in beside:
        content = path.read_bytes()
        if path.name.endswith(".tar.gz"):
            times += [float(int.from_bytes(content[4:8], "little"))]
            with tarfile.open(fileobj=io.BytesIO(gzip.decompress(content))) as tar:
                times += [float(member.mtime) for member in tar]
                (image,) = [dcmread(tar.extractfile(member)) for member in tar if member.isfile()]  # type: ignore[arg-type]
            for name, value in walked(image):
                values.setdefault(name, []).append(value)
        else:
            values[path.suffix] = [content.decode()]
    for table in ("dicom", "instance"):
        (path,) = (warehouse / "IRB00000" / table).glob(f"{load_id}.parquet")
        times.append(path.stat().st_mtime)
        rows = duckdb.sql(f"SELECT * FROM read_parquet('{path}')")
        for row in rows.fetchall():
            for column, value in zip(rows.columns, row, strict=True):
                values.setdefault(f"{table}.{column}", []).append(value)
    return Study(true, datetime.strptime(image.StudyDate, "%Y%m%d").date(), values, times)


@pytest.fixture
def studies(site: Site) -> list[Study]:
    for number in range(PATIENTS):
        folder = site.study(number, images=1, **planted(number))
        for path in folder.iterdir():
            add_private_times(path, study_date(number))
    batches = [*reversed(site.process())]
    assert [batch.state for batch in batches] == ["DONEPROCESSING"] * PATIENTS, [batch.errors for batch in batches]
    dates = {delivery_of(batch).object_name: study_date(int(batch.folder.reveal()[-5:])) for batch in batches}
    site.deliver()
    return [study(site.var / "store" / name, site.var / "warehouse", true) for name, true in dates.items()]


# ---------------------------------------------------------------------------------------------- the attacks

DAYS: tuple[tuple[str, str], ...] = (
    (r"(?<!\d)(\d{4})[-./]?(\d\d)[-./]?(\d\d)(?!\d)", "ymd"),
    (r"(\d{4})(\d\d)(\d\d)(?=\d{4,6}(?!\d))", "ymd"),
    (r"(?<!\d)(\d{1,2})[./-](\d{1,2})[./-](\d{4})(?!\d)", "dmy"),
)


def days_in(text: str) -> Iterator[date]:
    for pattern, order in DAYS:
        for match in re.finditer(pattern, text):
            parts = dict(zip(order, map(int, match.groups()), strict=True))
            try:
                yield date(parts["y"], parts["m"], parts["d"])
            except ValueError:
                continue
    for form in ("%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%B %d, %Y"):
        for match in re.finditer(r"\w+[ -]\w+,?[ -]\d{4}", text):
            try:
                yield datetime.strptime(match[0], form).date()
            except ValueError:
                continue
    for match in re.finditer(r"(?<![\d.])\d{9,19}(?![\d])", text):
        for per_second in (1, 1_000, 1_000_000, 1_000_000_000):
            if 2e8 < int(match[0]) / per_second < 4e9:
                yield datetime.fromtimestamp(int(match[0]) / per_second, UTC).date()


def told_by_true_times(studies: list[Study]) -> set[str]:
    """A true date beside a shifted one: the shift is a subtraction."""
    times = {"a time of a file" for one in studies for time in one.times if time}
    return times | {name for one in studies for name, text in one.texts() if one.true in days_in(text)}


def told_by_dates_of_all(studies: list[Study]) -> set[str]:
    """A value that moves from patient to patient as the shift does has one true date, and tells how shifts differ."""
    told = set()
    for name in set.intersection(*(set(one.values) for one in studies)):
        dated = [{day for value in one.values[name] for day in days_in(str(value))} for one in studies]
        pairs = [(i, j) for i, j in combinations(range(PATIENTS), 2) if dated[i] and dated[j]]
        if pairs and all(
            studies[i].shift - studies[j].shift in {(a - b).days for a in dated[i] for b in dated[j]} for i, j in pairs
        ):
            told.add(name)
    return told


def told_by_order(studies: list[Study]) -> set[str]:
    """What counts up from study to study tells their order, and over many patients the shifts cancel out."""
    in_order, told = sorted(studies, key=lambda one: one.true), set()
    for name in set.intersection(*(set(one.values) for one in studies)):
        if name.endswith((".size_bytes", ".length", ".offset")):  # in order by chance alone
            continue
        try:
            steps = {
                a < b or (a != b and None) for a, b in pairwise(float(str(one.values[name][0])) for one in in_order)
            }
        except ValueError:
            continue
        if steps in ({1}, {-1}):
            told.add(name)
    return told


def told_by_calendar_words(studies: list[Study]) -> set[str]:
    """The true date's weekday is the shift but for whole weeks; its week or month is the shift but for some days."""
    told = set()
    for one in studies:
        forms = ["{:%A}", "({:%a})", "{:%a} ", "week {:%V}", "{:%G-W%V}"]
        if (one.true.year, one.true.month) != (one.shifted.year, one.shifted.month):
            forms.append("{:%B %Y}")
        words = [form.format(one.true).lower() for form in forms]
        texts = [(name, text.lower()) for name, text in one.texts() if name.rpartition("/")[2] in TEXTS]
        told |= {name for name, text in texts if any(word in text for word in words)}
    return told


def told_by_clocks(studies: list[Study]) -> set[str]:
    """Where clocks are changed, an offset from UTC tells the half of the year; two of them, the day of the change."""
    return {
        name
        for one in studies
        for name, text in one.texts()
        if re.search(r"\d[+-]0[0-9]:?00(?!\d)|CES?T", text) or (name.endswith("TimezoneOffsetFromUTC") and text)
    }


def told_by_birth(studies: list[Study]) -> set[str]:
    """A shifted birth date, and somebody's who is known: all other dates follow."""
    return {name for one in studies for name, text in one.texts() if "Birth" in name and text}


ATTACKS: dict[Callable[[list[Study]], set[str]], Callable[[int, Study], Any]] = {
    told_by_true_times: lambda number, one: f"{datetime.combine(one.true, datetime.min.time(), UTC).timestamp():.0f}",
    told_by_dates_of_all: lambda number, one: f"v {OF_THE_SITE + timedelta(one.shift):%Y-%m-%d}",
    told_by_order: lambda number, one: 900 + number,
    told_by_calendar_words: lambda number, one: f"on {one.true:%A}",
    told_by_clocks: lambda number, one: "20111212101010+0100",
    told_by_birth: lambda number, one: f"{date(1950, 1, 1) + timedelta(one.shift):%Y%m%d}",
}
"""Each with a value that it must find: an attack that finds nothing anywhere is none."""


def test_nothing_in_a_delivery_tells_the_shift(studies: list[Study]) -> None:
    for one in studies:
        texts = dict(one.texts())
        assert 0 < abs(one.shift) <= 365
        assert (texts["/StudyTime"], texts["/Manufacturer"]) == ("101010", "ACME")
        assert one.shifted.strftime("%d %b %Y") in texts["/StudyDescription"]
        assert texts["/SourceImageSequence/AcquisitionDateTime"] == f"{one.shifted:%Y%m%d}101010.5"
    assert {attack.__name__: found for attack in ATTACKS if (found := attack(studies))} == {}
    for attack, told in ATTACKS.items():
        name = "/StudyDescription" if attack is told_by_calendar_words else "/PatientBirthDateInPlainText"
        for number, one in enumerate(studies):
            one.values[name] = [told(number, one)]
        assert attack(studies) == {name}
        for one in studies:
            del one.values[name]
