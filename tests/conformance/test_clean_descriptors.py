"""Clean Descriptors: no identifier is left, in whatever form it stands in a description; the clinical words are."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset, FileMetaDataset

from sendit.deid import deidentify
from sendit.deid.identifiers.descriptors import Cleaner
from sendit.deid.identifiers.vocabulary import fold
from tests.clinical_texts.descriptors import DAYS, HELD_OUT, MADE_WITH, PATTERNS, Somebody, descriptions

RETAINED = 0.98
VARIABLES = {"jitter": DAYS, "entity_id": "E1", "item_id": "I1"}
CORPORA = {"descriptions": MADE_WITH, "descriptions_held_out": HELD_OUT}
PLACES = (
    "{planted} {text}",
    "{text} {planted}",
    "{text}, {planted}",
    "{text} ({planted})",
    "{planted}_{text}",
    "{text}/{planted}",
)


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"[^\W\d_]+|\d+(?:[.,]\d+)*", fold(text)))


def kept(before: str, after: str) -> tuple[int, int]:
    """How many of the words and numbers of a text are left, and how many there were."""
    wanted = words(before)
    return (wanted & words(after)).total(), wanted.total()


def share_kept(pairs: Iterator[tuple[str, str]]) -> float:
    counts = [kept(before, after) for before, after in pairs]
    return sum(left for left, _ in counts) / sum(all_ for _, all_ in counts)


def planted_texts(texts: Sequence[str], people: Sequence[Somebody]) -> Iterator[tuple[Somebody, str, str, list[str]]]:
    """Who, the description, the description with something planted, and what of it must not be left."""
    for who, somebody in enumerate(people):
        for number, (planted, secrets) in enumerate([*somebody.planted(), *PATTERNS]):
            text, place = texts[(number * 7 + who * 31) % len(texts)], PLACES[number % len(PLACES)]
            yield somebody, text, place.format(text=text, planted=planted), secrets


def stands_in(secret: str, text: str) -> bool:
    """Whether it stands in a text, with whatever between its letters and digits, and not as a part of a word."""
    run = r"[\W_]*".join(map(re.escape, re.findall(r"[^\W_]", fold(secret))))
    return re.search(rf"(?<![^\W_]){run}(?![^\W_])", fold(text)) is not None


@pytest.mark.parametrize("corpus", CORPORA)
def test_descriptions_in_which_nobody_is_named_stay(corpus: str) -> None:
    cleaners = [Cleaner((), DAYS), *(Cleaner(somebody.identifiers, DAYS) for somebody in CORPORA[corpus][:1])]
    pairs = ((text, cleaner.clean(text)) for cleaner in cleaners for text in descriptions(corpus))
    assert share_kept(pairs) >= RETAINED


@pytest.mark.parametrize("corpus", CORPORA)
def test_nothing_that_is_planted_in_a_description_is_left(corpus: str) -> None:
    left = []
    for somebody, _, text, secrets in planted_texts(descriptions(corpus), CORPORA[corpus]):
        cleaned = Cleaner(somebody.identifiers, DAYS).clean(text)
        left += [(text, cleaned) for secret in secrets if stands_in(secret, cleaned)]
    assert left == []


@pytest.mark.parametrize("corpus", CORPORA)
def test_beside_what_is_planted_the_clinical_words_stay(corpus: str) -> None:
    pairs = (
        (text, Cleaner(somebody.identifiers, DAYS).clean(planted))
        for somebody, text, planted, _ in planted_texts(descriptions(corpus), CORPORA[corpus])
        if somebody.name.split("^")[0] not in ("Parkinson", "White", "Crohn")
    )
    assert share_kept(pairs) >= RETAINED


# ------------------------------------------------------------------------------------------------ through a file

DESCRIPTORS = (
    "StudyDescription", "SeriesDescription", "ProtocolName", "ImageComments", "AcquisitionProtocolDescription",
    "AdmittingDiagnosesDescription", "ReasonForTheRequestedProcedure", "RequestedProcedureDescription",
)  # fmt: skip
CHARACTER_SETS = ("ISO_IR 192", "ISO_IR 100")


def image(somebody: Somebody, character_set: str, texts: dict[str, str]) -> bytes:
    """An image whose header says who somebody is, and whose descriptors hold texts."""
    ds = FileDataset(None, {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    ds.SpecificCharacterSet = character_set
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = somebody.name, somebody.patient_id, somebody.birth_date
    ds.AccessionNumber, ds.StudyDate = somebody.accession_number, "20200131"
    ds.PatientTelephoneNumbers, ds.PatientAddress = somebody.phone, somebody.address
    ds.ReferringPhysicianName, ds.OperatorsName = somebody.physician, somebody.operator
    ds.InstitutionName = somebody.institution
    for keyword, text in texts.items():
        setattr(ds, keyword, text)
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=False)
    return stream.getvalue()


def is_written_in(text: str, character_set: str) -> bool:
    encoding = {"ISO_IR 192": "utf-8", "ISO_IR 100": "latin-1"}[character_set]
    return text.encode(encoding, "ignore").decode(encoding) == text


def cleaned_images(
    people: Sequence[Somebody], texts: Sequence[str], character_set: str
) -> Iterator[tuple[str, str, list[str]]]:
    """A description, what a de-identified image has of it with something planted, and what must not be left."""
    for somebody in people:
        planted = [
            (text, with_plant, secrets)
            for _, text, with_plant, secrets in planted_texts(texts, [somebody])
            if is_written_in(with_plant, character_set) and len(with_plant) <= 64
        ]
        for at in range(0, len(planted), len(DESCRIPTORS)):
            some = dict(zip(DESCRIPTORS, planted[at : at + len(DESCRIPTORS)], strict=False))
            data = image(somebody, character_set, {keyword: text for keyword, (_, text, _) in some.items()})
            out = deidentify(data, recipe="research", key=b"a key of the conformance test", variables=VARIABLES)
            ds = dcmread(io.BytesIO(out.tobytes()))
            yield from ((text, str(ds.get(keyword) or ""), secrets) for keyword, (text, _, secrets) in some.items())


@pytest.mark.parametrize("character_set", CHARACTER_SETS)
@pytest.mark.parametrize("corpus", CORPORA)
def test_of_a_file_the_descriptors_keep_their_words_and_no_identifier(corpus: str, character_set: str) -> None:
    people = [
        somebody
        for somebody in CORPORA[corpus]
        if all(is_written_in(text, character_set) for text in vars(somebody).values())
    ]
    found = list(cleaned_images(people, descriptions(corpus), character_set))
    assert found
    assert [cleaned for _, cleaned, secrets in found if any(stands_in(secret, cleaned) for secret in secrets)] == []
    assert share_kept((text, cleaned) for text, cleaned, _ in found) >= RETAINED - 0.02  # some lose their own disease
