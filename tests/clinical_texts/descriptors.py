"""Descriptions, people who might be named in them, and the forms in which they are: what cleaning is measured on.

Two sets of each: one that the cleaner was made with, one that it was not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sendit.deid.identifiers.identifiers import Identifier

DAYS = -37


def descriptions(name: str) -> list[str]:
    """The lines of a corpus."""
    lines = (Path(__file__).parent / f"{name}.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@dataclass(frozen=True)
class Somebody:
    """A patient, who treats them and where: what a header says."""

    name: str
    patient_id: str
    accession_number: str
    birth_date: str
    phone: str
    address: str
    physician: str
    operator: str
    institution: str

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        """As they are extracted from a header."""
        year, month, day = self.birth_date[:4], self.birth_date[4:6], self.birth_date[6:]
        return (
            *(Identifier("name", part) for part in parts(self.name)),
            Identifier("person", self.name),
            Identifier("id", self.patient_id),
            Identifier("id", self.accession_number),
            Identifier("date", self.birth_date),
            Identifier("date", f"{year}-{month}-{day}"),
            Identifier("phone", self.phone),
            Identifier("address", self.address),
            *(Identifier("staff", part) for name in (self.physician, self.operator) for part in parts(name)),
            *(Identifier("person", name) for name in (self.physician, self.operator)),
            Identifier("institution", self.institution),
        )

    def planted(self) -> Iterator[tuple[str, list[str]]]:
        """What may be written into a description, each with the words and numbers of it that must not be left."""
        for name in (self.name, self.physician, self.operator):
            yield from ((form, parts(name)) for form in name_forms(name))
        for number in (self.patient_id, self.accession_number):
            for form in (number, number.lower(), number.replace("-", " "), number.replace("-", ""), f"ID:{number}"):
                yield form, [form.removeprefix("ID:")]
        yield from ((form, [form]) for form in date_forms(self.birth_date))
        digits = re.sub(r"\D", "", self.phone)
        yield from ((form, [form, digits[-7:]]) for form in (self.phone, digits, f"Tel. {self.phone}"))
        yield from ((form, [form]) for form in (self.address, self.address.upper()))
        own = [self.institution.split()[0]]
        yield from ((form, own) for form in (self.institution, self.institution.upper(), own[0]))


def parts(name: str) -> list[str]:
    """The parts of a PN that identify."""
    return [part for part in re.split(r"[\^ '’-]+", name) if len(part) > 2 and part not in ("van", "der")]


def name_forms(name: str) -> Iterator[str]:
    """A name in orders, cases, with initials, titles, joined, without accents."""
    family, given = name.split("^")[:2]
    forms = [
        name,
        f"{given} {family}",
        f"{family}, {given}",
        f"{family} {given[0]}.",
        f"{given[0]}. {family}",
        f"{family}_{given}",
        f"{given[0]}{family}".replace(" ", ""),
        f"{given}{family}".replace(" ", ""),
        f"Dr. {family}",
        f"{family}'s",
        family,
        given,
    ]
    for form in forms:
        yield from dict.fromkeys((form, form.upper(), form.lower(), unaccented(form)))


def unaccented(text: str) -> str:
    """As it is typed where there are no accents."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def date_forms(date: str) -> Iterator[str]:
    """A birth date as it is written."""
    year, month, day = date[:4], date[4:6], date[6:]
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    yield from (
        date,
        f"{year}-{month}-{day}",
        f"{day}.{month}.{year}",
        f"{month}/{day}/{year}",
        f"{day}/{month}/{year}",
    )
    yield from (f"{int(day)} {months[int(month) - 1]} {year}", f"{months[int(month) - 1]} {int(day)}, {year}")
    yield f"DOB {month}/{day}/{year[2:]}"


PATTERNS = (
    ("555-867-5309", ["867", "5309"]),
    ("(555) 867-5309", ["867", "5309"]),
    ("+41 44 867 53 09", ["867"]),
    ("Tel 044 867 53 09", ["867"]),
    ("078-05-1120", ["078", "1120"]),
    ("jane.roe@example.org", ["jane", "roe", "example"]),
    ("https://pacs.example.org/study?x=77", ["example", "77"]),
    ("MRN 8675309", ["8675309"]),
    ("MRN: 86-753", ["86-753"]),
    ("Acc# 86753", ["86753"]),
    ("Patient ID 86753A", ["86753"]),
    ("8675309", ["8675309"]),
    ("A8675309", ["8675309"]),
    ("12 Elmwood Street", ["Elmwood"]),
    ("1600 Pennsylvania Ave.", ["Pennsylvania"]),
    ("Seestrasse 14", ["Seestrasse"]),
    ("12 rue de la Paix", ["Paix"]),
    ("Dr. Smith", ["Smith"]),
    ("DR SMITH", ["SMITH"]),
    ("Prof. Dr. med. Huber", ["Huber"]),
    ("Mrs Brown", ["Brown"]),
    ("Robert Miller MD", ["Robert", "Miller"]),
    ("Okonkwo, RN", ["Okonkwo"]),
    ("read by Kowalewska", ["Kowalewska"]),
    ("Tech: rjk", ["rjk"]),
    ("Smith, John", ["Smith", "John"]),
    ("GARCIA^MARIA", ["GARCIA", "MARIA"]),
    ("J. P. Fernandez", ["Fernandez"]),
    ("JohnSmith", ["John", "Smith"]),
    ("03/04/20", ["03/04"]),
    ("Jan 2020", ["2020"]),
)
"""What identifies by its form, though no header says it."""

MADE_WITH = (
    Somebody(
        name="Doe^Jane^^^",
        patient_id="MRN-0012345",
        accession_number="A-2017-0042",
        birth_date="19800131",
        phone="+1 650 555-0199",
        address="12 Upper Garden Lane",
        physician="House^Gregory",
        operator="Teague^Robyn",
        institution="Princeton General Hospital",
    ),
    Somebody(
        name="Parkinson^James",
        patient_id="4711-88",
        accession_number="ACC99887",
        birth_date="19550411",
        phone="044 123 45 67",
        address="Bahnhofstrasse 7",
        physician="Brown^Michael",
        operator="Nguyen^Thi",
        institution="Zqcanary Heart Center",
    ),
    Somebody(
        name="Müller^Jürg",
        patient_id="P1234567",
        accession_number="2020-77-81",
        birth_date="19991231",
        phone="555-2368",
        address="3 Rue du Lac",
        physician="O'Brien^Sinéad",
        operator="Kowalczyk^Łucja",
        institution="Universitätsspital Zürich",
    ),
)
HELD_OUT = (
    Somebody(
        name="Crohn^Wilhelmina",
        patient_id="00998877",
        accession_number="XR-31337-B",
        birth_date="19471109",
        phone="+44 20 7946 0958",
        address="221B Baker Street",
        physician="Young^Alistair",
        operator="Adeyemi^Folake",
        institution="Ravensbourne Medical Center",
    ),
    Somebody(
        name="van der Meer^Anneloes",
        patient_id="NL 5512-09",
        accession_number="77-1234-9",
        birth_date="20110228",
        phone="+31 20 123 4567",
        address="Keizersgracht 401",
        physician="Đorđević^Žarko",
        operator="Fitz-Simmons^Orla",
        institution="Sint Maartenskliniek",
    ),
    Somebody(
        name="White^Rose",
        patient_id="M88-2213",
        accession_number="E0045512",
        birth_date="19631005",
        phone="(212) 555-7788",
        address="88 Kingsmead Crescent",
        physician="Hand^Peter",
        operator="Long^Li Na",
        institution="Blackfriars Clinic",
    ),
)
