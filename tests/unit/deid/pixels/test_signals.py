"""Waveforms and spectra are as long as their channels, samples and points say: what stands behind them goes."""

from __future__ import annotations

import io
import struct

import pytest
from pydicom import Dataset, dcmread

from sendit.deid import Deidentifier, Pseudonyms, load_recipe
from sendit.deid.rewriting.account import Account
from tests.support.streams import BIG, EXPLICIT, IMPLICIT, KEY, VARIABLES, Syntax, even, part10

ECG, SPECTROSCOPY = "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.840.10008.5.1.4.1.1.4.2"
TAIL = b"\1\2\3scanned for Zqcanary on 17 June 2011\4"
SYNTAXES = pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG], ids=["explicit", "implicit", "big"])


def image(syntax: Syntax, sop_class: str, *elements: tuple[int, bytes]) -> bytes:
    uids = {0x00080016: sop_class, 0x00080018: "1.2.3.4", 0x0020000D: "1.2.3", 0x0020000E: "1.2.3.1"}
    encoded = {tag: syntax.element(tag, "UI", even(uid, b"\0")) for tag, uid in uids.items()} | dict(elements)
    encoded[0x00080060] = syntax.element(0x00080060, "CS", b"MR")
    encoded[0x00080008] = syntax.element(0x00080008, "CS", b"ORIGINAL\\PRIMARY ")
    return part10(b"".join(encoded[tag] for tag in sorted(encoded)), syntax)


def short(syntax: Syntax, tag: int, number: int) -> tuple[int, bytes]:
    return tag, syntax.element(tag, "US", struct.pack(syntax.order + "H", number))


def long(syntax: Syntax, tag: int, number: int) -> tuple[int, bytes]:
    return tag, syntax.element(tag, "UL", struct.pack(syntax.order + "I", number))


def waveform(syntax: Syntax, data: bytes, *, channels: int, samples: int, bits: int) -> bytes:
    item = [
        short(syntax, 0x003A0005, channels),
        long(syntax, 0x003A0010, samples),
        short(syntax, 0x54001004, bits),
        (0x54001010, syntax.element(0x54001010, "OW", data)),
    ]
    sequence = syntax.sequence(0x54000100, [b"".join(element for _, element in item)])
    return image(syntax, ECG, (0x54000100, sequence))


def spectrum(syntax: Syntax, data: bytes, representation: bytes, *, points: int, frames: int = 1) -> bytes:
    return image(
        syntax,
        SPECTROSCOPY,
        (0x00280008, syntax.element(0x00280008, "IS", even(str(frames)))),
        short(syntax, 0x00280010, 2),
        short(syntax, 0x00280011, 1),
        long(syntax, 0x00289001, 1),
        long(syntax, 0x00289002, points),
        (0x00289108, syntax.element(0x00289108, "CS", even(representation))),
        (0x56000020, syntax.element(0x56000020, "OF", data)),
    )


def after(data: bytes) -> tuple[Dataset, list[str]]:
    """The output, and what the account says of dropped tails."""
    image = Deidentifier(load_recipe("research"), Pseudonyms(KEY), VARIABLES).deidentify(data)
    account = Account()
    account.add(image.done)
    return dcmread(io.BytesIO(image.tobytes())), [row.place for row in account.rows() if row.action == "PIXELS_TAIL"]


@SYNTAXES
@pytest.mark.parametrize(("channels", "samples", "bits"), [(2, 50, 16), (3, 33, 8), (1, 7, 32)])
def test_a_waveform_ends_behind_its_last_sample(syntax: Syntax, channels: int, samples: int, bits: int) -> None:
    size = channels * samples * bits // 8
    data = bytes(range(1, 256))[:size].ljust(size, b"\7")
    for tail in (TAIL, b"Zqcanary"):
        found, dropped = after(waveform(syntax, even(data + tail), channels=channels, samples=samples, bits=bits))
        assert found.WaveformSequence[0].WaveformData == even(data, b"\0")
        assert dropped == ["(5400,1010)"]
    whole, dropped = after(waveform(syntax, even(data, b"\0"), channels=channels, samples=samples, bits=bits))
    assert (whole.WaveformSequence[0].WaveformData, dropped) == (even(data, b"\0"), [])


@SYNTAXES
@pytest.mark.parametrize(("representation", "parts"), [(b"COMPLEX", 2), (b"REAL", 1), (b"MAGNITUDE", 1)])
@pytest.mark.parametrize("points", [16, 9_000])
def test_a_spectrum_ends_behind_its_last_point(syntax: Syntax, representation: bytes, parts: int, points: int) -> None:
    data = struct.pack("<f", 1.5) * (2 * points * parts * 3)
    found, dropped = after(spectrum(syntax, data + TAIL, representation, points=points, frames=3))
    assert bytes(found.get_item(0x56000020).value) == data
    assert dropped == ["(5600,0020)"]
    found, dropped = after(spectrum(syntax, data, representation, points=points, frames=3))
    assert (bytes(found.get_item(0x56000020).value), dropped) == (data, [])
