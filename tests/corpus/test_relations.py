"""What patients, studies and series have in common and what not, before and after; in any order, process and week."""

from __future__ import annotations

import io
import random
import re
import warnings
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from sendit.deid import Deidentifier, Pseudonyms, load_recipe
from tests.corpus.corpus import uids_of, under_research
from tests.corpus.developed import DEVELOPED
from tests.corpus.disguises import encode
from tests.corpus.gateway import KEY, Gateway, keyed, without_filters
from tests.corpus.modalities import made
from tests.corpus.people import Patient
from tests.corpus.planting import plant
from tests.corpus.studies import Instance, Study
from tests.support.site import Site
from tests.support.streams import EXPLICIT, deidentified, deidentifier, even, part10, read

FIRST, SECOND = DEVELOPED.patients[0], DEVELOPED.patients[1]
DAY = date(2016, 3, 4)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """pydicom warns of what was planted to be odd."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def study(
    number: int, patient: Patient = FIRST, *, accession: str = "", day: date = DAY, before: Study | None = None
) -> Study:
    """A study of two series: two slices of CT, one of MR."""
    one = Study(
        number,
        patient,
        DEVELOPED.staff[:2],
        DEVELOPED.places[0],
        accession or f"AC{number}",
        day,
        f"1.2.826.{number}.9",
    )
    one.before = before
    for series, image, modality in ((1, 1, "CT"), (1, 2, "CT"), (2, 1, "MR")):
        one.instances.append(Instance(one, modality, series, image, made(modality), patient.charset))
    draw = random.Random(number)
    for instance in one.instances:
        plant(instance, DEVELOPED, draw, 0)
        instance.data = encode(instance, "explicit", draw)
    return one


def outputs(one: Study, gateway: Gateway | None = None) -> list[Dataset]:
    return [read(data) for data in files(one, gateway)]


def files(one: Study, gateway: Gateway | None = None) -> list[bytes]:
    made_ = list((gateway or Gateway(load_recipe("research"))).study([instance.data for instance in one.instances]))
    assert [output.refused for output in made_] == [""] * len(made_)
    return [output.data for output in made_]


def only(values: Iterator[str] | list[str]) -> str:
    (value,) = set(values)
    return value


def day_of(ds: Dataset) -> date:
    return date(int(ds.StudyDate[:4]), int(ds.StudyDate[4:6]), int(ds.StudyDate[6:]))


# ---------------------------------------------------------------------------------------------- who is who


def test_one_patient_two_studies() -> None:
    first = study(1)
    one, two = outputs(first), outputs(study(2, day=DAY + timedelta(days=35), before=first))
    assert only([ds.PatientID for ds in one + two]) == only([str(ds.PatientName) for ds in one + two])
    assert only([ds.StudyInstanceUID for ds in one]) != only([ds.StudyInstanceUID for ds in two])
    assert only([ds.AccessionNumber for ds in one]) != only([ds.AccessionNumber for ds in two])
    assert {day_of(b) - day_of(a) for a in one for b in two} == {timedelta(days=35)}
    assert {ds.SourceImageSequence[0].ReferencedSOPInstanceUID for ds in two} == {one[0].SOPInstanceUID}


def test_two_patients_one_accession() -> None:
    one, two = outputs(study(1, accession="SAME01")), outputs(study(2, SECOND, accession="SAME01"))
    assert only([ds.PatientID for ds in one]) != only([ds.PatientID for ds in two])
    assert day_of(one[0]) != day_of(two[0]), "both would be shifted by the same number of days"
    assert not identities(one) & identities(two)


def test_one_study_two_series() -> None:
    ct, again, mr = outputs(study(1))
    assert ct.StudyInstanceUID == again.StudyInstanceUID == mr.StudyInstanceUID
    assert ct.SeriesInstanceUID == again.SeriesInstanceUID != mr.SeriesInstanceUID
    assert ct.FrameOfReferenceUID == mr.FrameOfReferenceUID
    assert len({ds.SOPInstanceUID for ds in (ct, again, mr)}) == 3


def identities(several: list[Dataset]) -> set[str]:
    return {uid for ds in several for uid in (ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.StudyInstanceUID)}


def test_the_same_patient_in_two_batches_weeks_apart(site: Site, tmp_path: Path) -> None:
    """The second is another process' work, which shares the site's keys and nothing else; order makes no difference."""
    first = study(1)
    second = study(2, day=DAY + timedelta(days=35), before=first)
    there = by_a_process(site, tmp_path, second)
    here = Gateway(load_recipe("research"), site.ports.pseudonyms, site.ports.identity_service)
    one, two = outputs(first, here), [read(data) for data in there]
    assert only([ds.PatientID for ds in one + two])
    assert {day_of(b) - day_of(a) for a in one for b in two} == {timedelta(days=35)}
    assert {ds.SourceImageSequence[0].ReferencedSOPInstanceUID for ds in two} <= {ds.SOPInstanceUID for ds in one}
    second.instances.reverse()
    assert sorted(files(second, here)) == sorted(there)


def by_a_process(site: Site, folder: Path, one: Study) -> list[bytes]:
    """What `sendit deid` makes of the study."""
    source, target = folder / f"in {one.number}", folder / f"out {one.number}"
    source.mkdir()
    for number, instance in enumerate(one.instances):
        (source / f"{number}.dcm").write_bytes(instance.data)
    done = site.run("deid", str(source), str(target))
    assert done.returncode == 0, done.stderr
    return [path.read_bytes() for path in target.rglob("*.dcm")]


def test_another_key_gives_other_pseudonyms() -> None:
    one, two = (
        outputs(study(1)),
        outputs(study(1), Gateway(load_recipe("research"), *keyed(b"another key, of another site"))),
    )
    assert not {ds.PatientID for ds in one} & {ds.PatientID for ds in two}
    assert not identities(one) & identities(two)


# ---------------------------------------------------------------------------------------------- references


@pytest.mark.xdist_group("developed")
def test_every_reference_to_an_image_leads_to_what_became_of_it() -> None:
    """Wherever a UID of an image, a series, a study or a frame of reference stands: in RT, SR and KO too."""
    became = {}
    for before, after in under_research("developed").pairs:
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
            if keyword in before:
                became[before[keyword].value] = after[keyword].value
    followed = 0
    for before, after in under_research("developed").pairs:
        places = dict(uids_of(after))
        for path, uid in uids_of(before):
            if path in places and uid in became:
                assert places[path] == became[uid]
                followed += len(path) > 1
    assert followed > 100
    assert len(set(became.values())) == len(became)


UIDS = st.from_regex(r"[0-2](\.(0|[1-9][0-9]{0,8})){1,6}", fullmatch=True)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(UIDS, min_size=2, max_size=15, unique=True))
def test_the_map_of_uids_is_one_to_one(uids: list[str]) -> None:
    deid = deidentifier("REPLACE StudyInstanceUID deid_func:pydicom_uuid")
    originals = [part10(EXPLICIT.element(0x0020000D, "UI", even(uid, b"\0"))) for uid in uids]
    new = [read(deid.deidentify(data).tobytes()).StudyInstanceUID for data in originals]
    assert len(set(new)) == len(uids)


@pytest.mark.parametrize("padded", [b"1.2.826.77\0\0", b"1.2.826.77  ", b" 1.2.826.77 ", b"1.2.826.77\0 "])
def test_padding_is_no_part_of_a_uid(padded: bytes) -> None:
    rules = "REPLACE StudyInstanceUID deid_func:pydicom_uuid"
    plain, odd = (
        read(deidentified(part10(EXPLICIT.element(0x0020000D, "UI", value)), rules)).StudyInstanceUID
        for value in (b"1.2.826.77", padded)
    )
    assert odd == plain


# ---------------------------------------------------------------------------------------------- intervals

DAYS = st.dates(date(1902, 1, 1), date(2098, 1, 1))
RESEARCH = without_filters("research")


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(DAYS, min_size=5, max_size=5), st.integers(-3650, 3650))
def test_the_interval_between_any_two_dates_of_a_patient_stays(days: list[date], shift: int) -> None:
    """In DA and DT, at the root and in an item, and within a text."""
    ds = made("CT")
    ds.StudyDate, ds.AcquisitionDateTime = (
        days[0].strftime("%Y%m%d").zfill(8),
        days[1].strftime("%Y%m%d").zfill(8) + "1030",
    )
    ds.SeriesDate, ds.ContentDate = (day.strftime("%Y%m%d").zfill(8) for day in days[2:4])
    ds.StudyDescription = f"CT chest compared with {days[4].isoformat()}"
    item = Dataset()
    item.ContentDate = ds.StudyDate
    ds.ReferencedImageSequence = [item]
    after = read(
        Deidentifier(RESEARCH, Pseudonyms(KEY), {"entity_id": "e", "item_id": "i", "jitter": shift})
        .deidentify(written(ds))
        .tobytes()
    )
    found = re.search(r"\d{4}-\d\d-\d\d", after.StudyDescription)
    moved = [after.StudyDate, after.AcquisitionDateTime[:8], after.SeriesDate, after.ContentDate]
    moved += [after.ReferencedImageSequence[0].ContentDate, found[0].replace("-", "") if found else "gone"]
    original = [*days[:4], days[0], days[4]]
    assert [
        date(int(text[:4]), int(text[4:6]), int(text[6:])) - day for text, day in zip(moved, original, strict=True)
    ] == [timedelta(days=shift)] * 6


def written(ds: Dataset) -> bytes:
    ds.save_as(out := io.BytesIO(), enforce_file_format=True)
    return out.getvalue()
