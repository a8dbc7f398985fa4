"""Names that a title, a degree or `read by` announces, whatever list they are in; and what names nobody there."""

from __future__ import annotations

from itertools import product

import pytest

from sendit.deid.identifiers.descriptors import Cleaner

ORDINARY = ("House", "Winter", "Strong", "Rao", "Frost", "Stone", "Judge", "Church")
"""Surnames that are words of texts."""
FORMED = ("Ingram", "Paloma", "Kodama", "Gradoma", "Sympathy", "Longwood", "Goodhand", "Armstrong")
"""Surnames that are formed as terms or of two words."""
NAMES = (*ORDINARY, *FORMED, "Okonkwo", "Nguyen")
TITLES = (
    "Dr. {}", "Dr {}", "Prof. {}", "Mr. {}", "Mrs {}", "Frau {}", "Herrn {}", "Mme {}", "Monsieur {}", "Sra. {}",
    "Dott.ssa {}", "Sig. {}", "Sig.ra {}", "Dhr. {}", "Mevr. {}", "dr n. med. {}", "MUDr. {}", "Dipl.-Ing. {}",
    "Doç. Dr. {}", "PD Dr. med. {}",
)  # fmt: skip
DEGREES = (
    "{}, MD", "{} M.D.", "{}, RN", "{} PhD", "{}, RT(R)", "{}, R.T.(R)(CT)", "{} MBBS", "{}, MBChB", "{} FRCPC",
    "{}, RDMS", "{}, PA-C", "{} Jr.", "{}, DPM",
)  # fmt: skip
DOERS = (
    "read by {}", "Reported by: {}", "performed by {}", "SIGNED BY {}", "electronically signed by {}", "Signed: {}",
    "Technologist: {}", "Operator = {}", "interpreted by {}", "cc: {}", "attending: {}", "injected by {}",
    "befundet von {}", "durchgeführt von {}", "MTRA: {}", "Zuweiser: {}", "lu par {}", "réalisé par {}", "médecin: {}",
    "informado por {}", "técnico: {}", "refertato da {}", "eseguito da {}", "laudado por {}", "assinado por {}",
    "gelezen door {}", "uitgevoerd door {}", "opisała: {}", "lekarz: {}", "granskad av {}", "läkare: {}",
    "udført af {}", "lääkäri: {}", "lékař: {}", "teknisyen: {}", "orvos: {}", "citit de {}",
)  # fmt: skip


def cleaned(text: str) -> str:
    return Cleaner((), -37).clean(text)


@pytest.mark.parametrize("form", [*TITLES, *DEGREES, *(form for form in DOERS if form != "citit de {}")])
def test_what_is_announced_goes_whatever_list_it_is_in(form: str) -> None:
    left = [
        (name, said)
        for name, said in product(NAMES, ("CT chest {}", "{} axial 5mm"))
        if name in _with(form, name, said)
    ]
    assert left == []


def _with(form: str, name: str, said: str) -> str:
    return cleaned(said.format(form.format(name)))


@pytest.mark.parametrize(
    "form", ["technologist {}", "signed {}", "radiologist {}", "operator {}", "gez. {}", "citit de {}"]
)
@pytest.mark.parametrize("name", ["House", "Strong", "Rao", "Okonkwo", "Winter"])
def test_without_a_colon_surnames_go(form: str, name: str) -> None:
    assert name not in cleaned(f"{form.format(name)} chest")


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Dr. Gregory House chest", "chest"),
        ("DR STRONG KNEE", "KNEE"),
        ("dr. house knee", "knee"),
        ("MR WINTER BRAIN", "BRAIN"),
        ("read by Anna Winter knee", "read by knee"),
        ("knee Rose Strong MD", "knee"),
        ("Dr. Le knee", "knee"),
        ("read by J.S. knee", "read by knee"),
        ("tech JS knee", "tech knee"),
        ("Dr. de la Cruz knee", "knee"),
        ("reported by J. House knee", "reported by knee"),
        ("Dr. Smith long axis", "long axis"),
        ("tech: rjk knee", "tech knee"),
        ("scanned by A. Strong knee", "scanned by knee"),
        ("scanned by A Kodama knee", "scanned by knee"),
        ("READ BY HOUSE KNEE", "READ BY KNEE"),
        ("Read by 12345 House Knee", "Read by Knee"),
    ],
)
def test_a_name_goes_whole_and_what_is_behind_it_stays(text: str, rest: str) -> None:
    assert cleaned(text) == rest


@pytest.mark.parametrize(
    "text",
    [
        *("read by radiologist", "performed with contrast", "performed with Omnipaque", "done by hand"),
        *("verified by biopsy", "requested by cardiology", "REPORTED BY PHONE", "Tech: Repeat sagittal"),
        *("seen from above", "Signed Report"),
        *("Technologist notes: patient moved", "M. Crohn", "M. Scheuermann", "CA Colon", "Knee, RT", "OA Knee"),
        *("Brain MS protocol", "DO NOT REPEAT, PA LATERAL", "Protocol name: Chest Routine", "RT: Knee", "ref: Prior"),
        *("measured: Foot", "Reconstructed from Axial", "Mr Brain", "MR HEART", "MR TWIST", "DR FOOT", "MS LESION"),
        *("scanned with coil", "Patient position: Supine", "per protocol", "Mag. view", "nurse present"),
    ],
)  # fmt: skip
def test_what_names_nobody_stays(text: str) -> None:
    assert cleaned(text) == text
