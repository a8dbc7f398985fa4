"""What became of a mutant: an outcome's name, or Wrong where it is none that sendit allows."""

from __future__ import annotations

import io
import re
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType
from typing import Any

from pydicom import Dataset, dcmread

from sendit.deid import Deidentifier, Identifier, Pseudonyms, read_header
from sendit.deid.identifiers.identifiers import extract
from sendit.deid.image import DeidentifiedImage
from sendit.deid.recipe.recipe import Recipe, RecipeError, load_recipe, parse_recipe
from sendit.deid.stream.sources import Bulk
from sendit.errors import DataFault, ServiceDown
from tests.support.mosaics import Mosaic
from tests.support.phantoms import BIRTH_DATE, DIGITS, FILES, WORD, accession_number, leaks_in, plant

SECONDS = 10.0
"""Processor time that one mutant may take: twice the budget of an image, for a busy machine."""
LARGEST = 60_000
PLANTED = (
    Identifier("name", WORD),
    Identifier("name", "Quillon"),
    Identifier("id", DIGITS),
    Identifier("id", accession_number(1)),
    Identifier("date", BIRTH_DATE),
)
VARIABLES: dict[str, Any] = {
    "entity_id": "p1",
    "item_id": "s1",
    "jitter": 5,
    "shown": lambda dicom, **_: str(dicom.get("Modality", ""))[:16],
}

NO_RULES = "FORMAT dicom\n%header\n"
EVERY_ACTION = """FORMAT dicom
%header
REPLACE PatientName var:entity_id
REPLACE select:VR:UI deid_func:pydicom_uuid
JITTER select:VR:DA var:jitter
JITTER select:VR:DT var:jitter
BLANK PatientID
REMOVE contains:Physician
REMOVE values:named
KEEP ReferencedImageSequence
ADD PatientIdentityRemoved YES
ADD OtherPatientIDsSequence__0__PatientID X
%values named
FIELD PatientName
SPLIT PatientID by="-"
"""
FUNCTION = NO_RULES + "REPLACE StudyDescription func:shown\nREPLACE ProtocolName func:shown\n"


class Wrong(Exception):
    """An outcome that may not be."""


class TooSlow(BaseException):
    """The watchdog's bark; no `except Exception` catches it."""


@cache
def recipes() -> dict[str, Recipe]:
    """The recipes that mutants are de-identified with, in turn."""
    texts = {"no rules": NO_RULES, "KEEP ALL": NO_RULES + "KEEP ALL\n", "every action": EVERY_ACTION, "func": FUNCTION}
    return {"research": load_recipe("research")} | {name: parse_recipe(text) for name, text in texts.items()}


@cache
def corpus() -> tuple[bytes, ...]:
    """pydicom's bundled files, each again as a phantom with planted identifiers, and mosaics with CSA headers."""
    found = [
        Mosaic(version=version, rubbish=rubbish).tobytes() for version in (1, 2) for rubbish in (b"", b"Zqcanary ")
    ]
    folders = (FILES, FILES.parent / "charset_files")
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in (".dcm", "")):
        if path.is_file() and path.stat().st_size <= LARGEST:
            found.append(path.read_bytes())
            found.extend(_phantom(found[-1]))
    return tuple(found)


def _phantom(data: bytes) -> Iterator[bytes]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = dcmread(io.BytesIO(data))
            plant(ds, 1, 1)
            ds.save_as(out := io.BytesIO())
    except Exception:  # noqa: BLE001 - the bundled files hold some that pydicom cannot write
        return
    yield out.getvalue()


@contextmanager
def watchdog() -> Iterator[None]:
    """Raises TooSlow after `SECONDS`."""

    def bark(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, bark)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


class Examiner:
    """Examines mutants one after the other, as a worker meets a folder's files."""

    def __init__(self) -> None:
        self._pseudonyms = Pseudonyms(b"a key of the fuzzer")
        self._seasoned = {name: self._deidentifier(name) for name in recipes()}

    def _deidentifier(self, name: str) -> Deidentifier:
        return Deidentifier(recipes()[name], self._pseudonyms, VARIABLES, PLANTED)

    def header(self, data: bytes) -> str:
        """The outcome of `read_header`."""
        try:
            with watchdog():
                extract(read_header(data))
        except DataFault as fault:
            return _told(fault)
        return "header"

    def image(self, number: int, data: bytes) -> str:
        """The outcome of de-identifying it with one of the recipes."""
        name = list(recipes())[number % len(recipes())]
        try:
            with watchdog():
                image = self._seasoned[name].deidentify(data)
                _ = image.instance
                out = image.tobytes()
        except DataFault as fault:
            return _told(fault)
        except ServiceDown as down:  # the reader of texts needs more memory than a process has here
            return down.code
        try:
            with watchdog():
                self._prove(name, data, image, out)
        except ServiceDown as down:
            return down.code
        return "image"

    def _prove(self, name: str, data: bytes, image: DeidentifiedImage, out: bytes) -> None:
        if len(out) != image.size:
            raise Wrong("its size is not what it said")
        if leaks_in(_header_of(image)):
            raise Wrong("a planted identifier is in the output")
        if self._alone(name, data) not in (out, None):
            raise Wrong("it depends on the images before it")
        if self._alone("KEEP ALL", out) not in (out, None):
            raise Wrong("sendit does not re-read it as it is")
        _reread(out)

    def _alone(self, name: str, data: bytes) -> bytes | None:
        """The output without images before; None where it is TooLarge, for what those had in common was free."""
        try:
            return self._deidentifier(name).deidentify(data).tobytes()
        except DataFault as fault:
            if fault.code != "TooLarge":
                raise
            return None


def _told(fault: DataFault) -> str:
    if leaks_in(f"{fault} {fault!r} {fault.__context__!r} {fault.__cause__!r}"):
        raise Wrong("a planted identifier is in an error")
    return fault.code


def _header_of(image: DeidentifiedImage) -> bytes:
    """Everything but pixel data, in which no identifier is looked for."""
    return b"".join((image._head, *(piece for piece in image._pieces if not isinstance(piece, Bulk))))


def _reread(out: bytes) -> None:
    """pydicom must find the same structure; what it says of values that were not touched is the input's matter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _look_through(dcmread(io.BytesIO(out)))


def _look_through(ds: Dataset) -> None:
    for tag in list(ds.keys()):
        if ds.get_item(tag).VR == "SQ":
            for item in ds[tag].value:
                _look_through(item)


def recipe(text: str) -> str:
    """The outcome of parsing a recipe."""
    try:
        with watchdog():
            parsed = parse_recipe(text)
    except RecipeError as error:
        if not re.match(r"BadRecipe \(<recipe>:\d+:\d+: ", str(error)):
            raise Wrong("an error that does not say where") from None
        return "RecipeError"
    if parsed.text != text and not re.search(r"(?im)^\s*(PROFILE|INCLUDE)\b", text):
        raise Wrong("its text is another one")
    if parse_recipe(parsed.text).text != parsed.text:
        raise Wrong("its text does not say what it says")
    return "recipe"
