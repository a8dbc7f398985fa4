"""The studies of a corpus: who, when, of which modality, and which instance refers to which."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from pydicom.dataset import FileDataset

from tests.corpus.checks import Check
from tests.corpus.modalities import made
from tests.corpus.people import Colleague, Patient, Place, Secret, secrets_of
from tests.corpus.wording import Wording

ROOT = "1.2.826.0.1.3680043.8.498"


@dataclass
class Study:
    """One study of a patient, as its images know it."""

    number: int
    patient: Patient
    staff: tuple[Colleague, ...]
    place: Place
    accession: str
    day: date
    frame_of_reference: str
    instances: list[Instance] = field(default_factory=list)
    before: Study | None = None
    """The patient's study before this one, which it refers to."""

    @property
    def uid(self) -> str:
        return f"{ROOT}.{self.number}.0"

    @property
    def secrets(self) -> list[Secret]:
        """What is to be found in none of its outputs."""
        days = [Secret("date", day.strftime("%Y%m%d")) for day in (self.day, self.day - timedelta(days=40))]
        uids = [Secret("id", instance.uid) for instance in self.instances]
        accession = Secret("id", self.accession)
        return [*secrets_of(self.patient, self.staff, self.place), accession, *days, *uids, Secret("id", self.uid)]

    def fields(self) -> dict[str, str]:
        """What a text's braces stand for."""
        patient, colleague, born = self.patient, self.staff[0], self.patient.birth_date
        return {
            "family": patient.family, "given": patient.given.split(" ")[0], "FAMILY": patient.family.upper(),
            "GIVEN": patient.given.split(" ")[0].upper(), "patient_id": patient.patient_id, "accession": self.accession,
            "telephone": patient.telephone, "street": patient.street, "mail": patient.mail,
            "birth_iso": f"{born[:4]}-{born[4:6]}-{born[6:]}", "staff_family": colleague.family,
            "staff_given": colleague.given, "institution": self.place.institution,
            "staff_name": f"{colleague.given} {colleague.family}", "STAFF_FAMILY": colleague.family.upper(),
            "department_phone": self.place.telephone, "city": patient.city,
        }  # fmt: skip


@dataclass
class Instance:
    """One image to be: its dataset, and what has been planted in it."""

    study: Study
    modality: str
    series: int
    number: int
    dataset: FileDataset
    charset: str
    checks: list[Check] = field(default_factory=list)
    planted: set[tuple[object, ...]] = field(default_factory=set)
    """Paths of what has checks of its own."""
    data: bytes = b""
    name: str = ""

    @property
    def uid(self) -> str:
        return f"{ROOT}.{self.study.number}.{self.series}.{self.number}"

    @property
    def series_uid(self) -> str:
        return f"{ROOT}.{self.study.number}.{self.series}"


def studies_of(wording: Wording, seed: int) -> Iterator[Study]:
    """Studies of two modalities each; a patient whose turn comes again has another study, months later."""
    draw = random.Random(f"{wording.name} {seed}")
    files = list(wording.files)
    draw.shuffle(files)
    first = date(2014, 1, 6) + timedelta(days=draw.randrange(600))
    for index, modality in enumerate(files):
        patient = wording.patients[(index + seed) % len(wording.patients)]
        staff = tuple(draw.sample(wording.staff, 2))
        place = wording.places[index % len(wording.places)]
        number = 1000 * (seed + 1) + index + (0 if wording.name == "developed" else 500_000)
        day = first + timedelta(days=97 * index)
        study = Study(number, patient, staff, place, f"AC{number:07}Q{seed}", day, f"{ROOT}.{number}.99")
        charset = patient.charset
        for series, kind in ((1, modality), (2, files[index - 1])):
            for image in (1, 2) if series == 1 and index % 4 == 0 else (1,):
                study.instances.append(Instance(study, kind, series, image, made(kind), charset))
        yield study
