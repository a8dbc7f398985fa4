"""An identifier where no rule looks for it: what comes out is without it, or nothing comes out."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable

import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataelem import DataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from tests.corpus.developed import DEVELOPED
from tests.corpus.gateway import Gateway, without_filters
from tests.corpus.leaks import leaks
from tests.corpus.modalities import made
from tests.corpus.people import Secret, parts_of
from tests.support.streams import EXPLICIT, IMPLICIT, even

PATIENT = DEVELOPED.patients[0]
NAME, ID = PATIENT.family, PATIENT.patient_id
SECRETS = [Secret("name", part) for part in parts_of(PATIENT.name)] + [
    Secret("id", ID),
    Secret("date", PATIENT.birth_date),
]
RESEARCH = without_filters("research")


def phantom() -> Dataset:
    ds = made("CT")
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = PATIENT.name, ID, PATIENT.birth_date
    return ds


def encoded(ds: Dataset) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcmwrite(out := io.BytesIO(), ds, enforce_file_format=True)
    return out.getvalue()


def odd(tag: int, vr: str, value: object) -> Callable[[], bytes]:
    """An element of that VR, whatever PS3.6 says."""

    def make() -> bytes:
        ds = phantom()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds[tag] = DataElement(tag, vr, value)
        return encoded(ds)

    return make


def raw(tag: int, vr: str, value: bytes) -> Callable[[], bytes]:
    """An element with these bytes for a value, in the place of the one that the file has."""

    def make() -> bytes:
        ds = phantom()
        ds.pop(tag, None)
        data = encoded(ds)
        element = EXPLICIT.element(tag, vr, value)
        return _inserted(data, tag, element)

    return make


def _inserted(data: bytes, tag: int, element: bytes) -> bytes:
    """The file with one more element, before the first with a higher tag."""
    size = struct.unpack_from("<I", data, 140)[0]
    pos = 144 + size
    while struct.unpack_from("<HH", data, pos) < (tag >> 16, tag & 0xFFFF):
        long = data[pos + 4 : pos + 6].decode() in ("OB", "OW", "SQ", "UN", "UT", "UC", "UR")
        length = struct.unpack_from("<I", data, pos + 8)[0] if long else struct.unpack_from("<H", data, pos + 6)[0]
        pos += (12 if long else 8) + length
    return data[:pos] + element + data[pos:]


def behind(more: bytes) -> Callable[[], bytes]:
    return lambda: encoded(phantom()) + more


def before(preamble: bytes) -> Callable[[], bytes]:
    def make() -> bytes:
        ds = phantom()
        ds.preamble = preamble.ljust(128, b"\0")
        return encoded(ds)

    return make


def nested(depth: int, tag: int = 0x00081140) -> Callable[[], bytes]:
    """A name in an attribute of its own, so many items deep."""

    def make() -> bytes:
        inner = Dataset()
        inner.PatientName, inner.AcquisitionComments = PATIENT.name, f"{NAME} {ID}"
        for _ in range(depth):
            outer = Dataset()
            outer.add_new(tag, "SQ", Sequence([inner]))
            inner = outer
        ds = phantom()
        ds.update(inner)
        return encoded(ds)

    return make


def unknown_sequence() -> bytes:
    """A private sequence as UN, its items in implicit VR."""
    inner = IMPLICIT.element(0x00100010, "PN", even(NAME)) + IMPLICIT.element(0x00100020, "LO", even(ID))
    ds = phantom()
    ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "UN", IMPLICIT.item(inner))
    return encoded(ds)


def known_sequence_as_unknown() -> bytes:
    """A public sequence as UN (PS3.5 6.2.2)."""
    inner = Dataset()
    inner.PatientName, inner.PatientID, inner.SeriesDescription = PATIENT.name, ID, f"CT {NAME}"
    write_dataset(stream := _implicit(), inner)
    return raw(0x00081140, "UN", IMPLICIT.item(stream.getvalue()))()


def _implicit() -> DicomBytesIO:
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, True
    return stream


DISGUISES: dict[str, Callable[[], bytes]] = {
    "preamble": before(f"{NAME} {ID}".encode()),
    "a TIFF in the preamble": before(b"II*\0" + NAME.encode()),
    "bytes behind the pixel data": behind(NAME.encode()),
    "a whole element behind the pixel data": behind(EXPLICIT.element(0x00100010, "PN", even(NAME))),
    "zeros and then a name behind it": behind(bytes(4000) + NAME.encode("utf-16-le")),
    "behind the zero in a code string": raw(0x00080060, "CS", even(b"CT\0" + NAME.upper().encode(), b"\0")),
    "behind blanks in a code string": raw(0x00185100, "CS", even(b"HFS      " + NAME[:6].upper().encode())),
    "behind the zero in a UID": raw(0x0020000D, "UI", even(b"1.2.3\0" + ID.encode(), b"\0")),
    "behind the zero in a time": raw(0x00080030, "TM", even(b"0815\0" + NAME.encode())),
    "behind the zero in a number": raw(0x00180050, "DS", even(b"5.0\0" + NAME.encode())),
    "a second value of a code string": odd(0x00080060, "CS", ["CT", NAME.upper()]),
    "a technical attribute": odd(0x00181210, "SH", NAME),
    "a defined term": odd(0x00102203, "CS", NAME.upper()),
    "a retained attribute of another VR": odd(0x00102203, "UT", f"{NAME} {ID}"),
    "a device's name": odd(0x00081010, "SH", NAME),
    "a name as bytes": odd(0x00100010, "OB", even(NAME.encode())),
    "a comment as unknown": odd(0x00104000, "UN", even(f"{NAME} {ID}".encode())),
    "a date as text": odd(0x00080020, "LO", f"{PATIENT.birth_date} {NAME}"),
    "a name in a date": odd(0x00080020, "DA", NAME[:8]),
    "a name in a DateTime": odd(0x0008002A, "DT", f"20160304 {NAME}"),
    "a name in wide characters": odd(0x00081030, "LO", "".join(f"{letter}\0" for letter in NAME)),
    "a name as bulk": odd(0x00286010, "OW", even(NAME.encode()) + bytes(8)),
    "a name in a label of a lookup table": odd(0x00283003, "LO", f"{NAME} {ID}"),
    "group lengths": raw(0x00080000, "UL", even(NAME[:4])),
    "six items deep": nested(6),
    "twenty items deep": nested(20),
    "a private sequence as unknown": unknown_sequence,
    "a public sequence as unknown": known_sequence_as_unknown,
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_an_identifier_in_disguise_does_not_leave(disguise: str) -> None:
    data = DISGUISES[disguise]()
    (output,) = Gateway(RESEARCH).study([data])
    row = output.described.header_json.encode() if output.described else b""
    found = [secret for what in (output.data, row) for secret, there in leaks(what, SECRETS) if there]
    assert found == []
    assert output.data or output.refused.startswith("ResidualIdentifier"), output.refused


KEPT_ON_PURPOSE = {
    "behind the zero in a code string",
    "behind blanks in a code string",
    "behind the zero in a time",
    "behind the zero in a number",
    "a second value of a code string",
    "a technical attribute",
    "a defined term",
    "a retained attribute of another VR",
    "a device's name",
    "a name as bulk",
    "a name in a label of a lookup table",
}
"""What hides in an attribute that stays."""


def test_only_what_hides_in_an_attribute_that_stays_costs_the_image() -> None:
    gateway = Gateway(RESEARCH)
    withheld = {name for name, make in DISGUISES.items() if next(gateway.study([make()])).refused}
    assert withheld <= KEPT_ON_PURPOSE
