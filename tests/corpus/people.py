"""Invented patients, staff and places, and what of them may be in no output."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Secret:
    """One thing that may be found nowhere: `kind` is name, id, phone, date or place."""

    kind: str
    text: str


@dataclass(frozen=True)
class Patient:
    """A patient: `name` is a PN value with its component groups, in the character set that is named."""

    name: str
    charset: str
    patient_id: str
    birth_date: str
    telephone: str
    street: str
    city: str
    other_id: str
    mail: str
    mother: str

    @property
    def family(self) -> str:
        return self.name.split("=")[0].split("^")[0]

    @property
    def given(self) -> str:
        return self.name.split("=")[0].split("^")[1]


@dataclass(frozen=True)
class Colleague:
    """Someone of the staff, by an ASCII name."""

    family: str
    given: str

    @property
    def name(self) -> str:
        return f"{self.family}^{self.given}"


@dataclass(frozen=True)
class Place:
    """A hospital."""

    institution: str
    department: str
    address: str
    telephone: str
    station: str
    mark: str
    """The word of the institution's name that is no other word."""


def secrets_of(patient: Patient, staff: tuple[Colleague, ...], place: Place) -> list[Secret]:
    """What is looked for in the outputs of one study, by its parts."""
    found = [Secret("name", part) for name in (patient.name, patient.mother) for part in parts_of(name)]
    found += [Secret("name", part) for one in staff for part in parts_of(one.name)]
    found += [Secret("id", one) for one in (patient.patient_id, patient.other_id, patient.mail)]
    found += [Secret("phone", one) for one in (patient.telephone, place.telephone)]
    found += [Secret("place", one) for one in (patient.street, patient.city, place.mark, place.address)]
    found.append(Secret("date", patient.birth_date))
    return list(dict.fromkeys(found))


def parts_of(name: str) -> Iterator[str]:
    """The words of a name, those left out that stand in other words by chance."""
    for part in re.split(r"[\^=\s-]+", name):
        if len(part) > (3 if part.isascii() else 1):
            yield part
