"""CSA headers: what is kept of one, that nothing else is, and what is no header."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import nibabel
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nibabel.nicom import csareader

from sendit.deid.vendors import csa
from sendit.deid.vendors.csa import GEOMETRY, CsaSeries, NotCsa, csa_fields, numbers_of, read_csa, relative
from tests.support.mosaics import TYPES, Field, Mosaic, decoded, encoded, protocol

DATA = Path(nibabel.__file__).parent / "nicom" / "tests" / "data"
PLANTED = ["Kowalczyk^Zofia", "KOWALCZYK", "19630417", "1963-04-17", "17.04.1963", "MRN77012", "0x77012A", "Zofia 1963"]


@pytest.mark.parametrize("version", [1, 2])
def test_numbers_stay_as_they_are_written(version: int) -> None:
    header = encoded(Mosaic(b_value=1000).fields, version)
    new = numbers_of(header)
    assert new is not None
    assert decoded(new) == decoded(header)
    assert new.startswith(b"SV10") is (version == 2)
    assert numbers_of(new) == new, "what has been rewritten is rewritten to itself"


@pytest.mark.parametrize("name", ["csa2_b0.bin", "csa2_b1000.bin"])
def test_a_real_header_keeps_what_nibabel_asks_of_it(name: str) -> None:
    raw = (DATA / name).read_bytes()
    new = numbers_of(raw)
    assert new is not None and len(new) < len(raw)
    before, after = csareader.read(raw), csareader.read(new)
    for ask in (csareader.get_n_mosaic, csareader.get_b_value, csareader.get_acq_mat_txt, csareader.get_ice_dims):
        assert ask(before) == ask(after)
    for vector in (csareader.get_slice_normal, csareader.get_b_matrix, csareader.get_g_vector):
        one, other = vector(before), vector(after)
        assert (one is None and other is None) or (one == other).all()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("planted", PLANTED)
def test_no_text_passes_in_any_field(planted: str, version: int) -> None:
    known = [
        (name, field.most, field.vr, [planted] * min(field.most, 6))
        for name, field in csa_fields().items()
        if name not in ("EchoLinePosition", *GEOMETRY)
    ]
    others: list[Field] = [("PatientName", 1, "LO", [planted]), ("DataFileName", 1, "LO", [planted])]
    new = numbers_of(encoded([("EchoLinePosition", 1, "IS", ["8"]), *others, *known], version))
    assert new is not None and planted.encode() not in new
    assert decoded(new).keys() <= {"EchoLinePosition", "MosaicRefAcqTimes"}
    assert not any(float(time) for time in decoded(new).get("MosaicRefAcqTimes", ())), "times that are all the same"


@pytest.mark.parametrize("version", [1, 2])
def test_what_stands_behind_the_end_of_values_goes(version: int) -> None:
    clean, dirty = Mosaic(version=version), Mosaic(version=version, rubbish=b"Kowalczyk^Zofia 19630417 ")
    assert numbers_of(encoded(dirty.fields, version, dirty.rubbish)) == numbers_of(encoded(clean.fields, version))
    assert numbers_of(encoded(dirty.series_fields, version, dirty.rubbish)) == numbers_of(
        encoded(clean.series_fields, version)
    )


def test_a_field_goes_as_a_whole_if_one_of_its_values_is_no_number() -> None:
    header = encoded([("EchoLinePosition", 1, "IS", ["8"]), ("B_matrix", 6, "FD", ["1.0", "Zofia", "0.0"])])
    assert set(decoded(numbers_of(header) or b"")) == {"EchoLinePosition"}


@pytest.mark.parametrize("name", GEOMETRY)
def test_a_header_that_would_place_slices_elsewhere_goes_as_a_whole(name: str) -> None:
    assert numbers_of(encoded([("EchoLinePosition", 1, "IS", ["8"]), (name, 1, "FD", ["Zofia"])])) is None
    assert numbers_of(encoded([("EchoLinePosition", 1, "IS", ["8"]), (name, 1, "FD", [""])])) is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [("B_value", "19630417"), ("NumberOfImagesInMosaic", "0"), ("PhaseEncodingDirectionPositive", "7"),
     ("SliceNormalVector", "17.04"), ("B_value", "007"), ("B_value", "1e2"), ("ICE_Dims", "X_19630417_1")],
)  # fmt: skip
def test_a_number_beyond_its_bounds_goes(name: str, value: str) -> None:
    assert numbers_of(encoded([(name, 1, csa_fields()[name].vr, [value])])) is None


def test_times_of_day_become_times_since_the_first() -> None:
    of_day = (b"36900000.0", b"36900500.0", b"36900250.0")
    assert relative(of_day) == (b"0.00000000", b"500.00000000", b"250.00000000")
    assert relative((b"0.0", b"500.0")) == (b"0.0", b"500.0")
    header = encoded([("MosaicRefAcqTimes", 0, "FD", [time.decode() for time in of_day])])
    assert b"369" not in (numbers_of(header) or b"369")


# ------------------------------------------------------------------------------------------------- hostile input


def broken(header: bytes) -> bool:
    try:
        read_csa(header)
    except NotCsa:
        return True
    return False


@pytest.mark.parametrize(
    ("at", "value"),
    [(8, 0), (8, 100_000), (8, 0xFFFFFFFF), (12, 5), (16 + 76, 0xFFFFFFFF), (16 + 76, 1 << 20), (16 + 80, 3),
     (16 + 84 + 4, 0x7FFFFFFF), (16 + 84 + 4, 0xFFFFFFFF)],
)  # fmt: skip
def test_a_length_that_lies_makes_it_no_header(at: int, value: int) -> None:
    header = bytearray(encoded(Mosaic().fields))
    assert not broken(bytes(header))
    header[at : at + 4] = struct.pack("<I", value)
    assert broken(bytes(header)) and numbers_of(bytes(header)) is None


def test_a_header_cut_anywhere_is_none() -> None:
    header = encoded(Mosaic().fields).rstrip(b"\0")
    for size in range(0, len(header) - 100, 7):
        assert broken(header[:size])


def test_a_field_that_stands_twice_makes_it_no_header() -> None:
    fields = Mosaic().fields
    assert broken(encoded([*fields, fields[2]]))


texts = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=40)
names = st.sampled_from([*csa_fields(), "MrPhoenixProtocol", "PatientName", "ImageComments"])
fields = st.lists(
    st.tuples(names, st.integers(0, 6), st.sampled_from(sorted(TYPES)), st.lists(texts, max_size=8)), max_size=12,
    unique_by=lambda field: field[0],
)  # fmt: skip


@given(fields, st.sampled_from([1, 2]), texts)
def test_whatever_it_holds_numbers_and_terms_are_left(fields: list[Field], version: int, rubbish: str) -> None:
    new = numbers_of(encoded(fields, version, rubbish.encode("latin-1") or b""))
    for values in read_csa(new).values.values() if new else ():
        assert all(re.fullmatch(rb"[A-Za-z0-9 _+\-.*]*", value) for value in values)
        assert all(len(value) <= 64 and not re.search(rb"[A-Za-z]{12}|\d{10}", value) for value in values)


@given(st.binary(max_size=600), st.integers(0, 2000))
def test_any_bytes_are_a_header_or_none(data: bytes, at: int) -> None:
    header = bytearray(encoded(Mosaic().fields))
    header[at : at + len(data)] = data
    for untrusted in (data, b"SV10\4\3\2\1" + data, bytes(header)):
        new = numbers_of(untrusted)
        assert new is None or numbers_of(new) == new


@given(st.dictionaries(st.sampled_from(["alTE[0]", "sPat__lAccelFactPE", "tProtocolName", "Zofia"]), texts))
def test_of_a_protocol_only_numbers_are_left(settings: dict[str, str]) -> None:
    new = numbers_of(encoded([("MrPhoenixProtocol", 1, "UN", [protocol(alTE__1="30", **settings)])]))
    for (value,) in read_csa(new).values.values() if new else ():
        lines = [line for line in value.splitlines() if not line.startswith(b"###")]
        assert all(re.fullmatch(rb"[A-Za-z0-9.\[\]]+\t = \t(?:0x[0-9A-Fa-f]+|[-+0-9.eE]+)", line) for line in lines)


@given(st.lists(st.tuples(st.integers(0, 3000), st.binary(max_size=40), st.integers(0, 8)), min_size=1, max_size=6))
def test_a_header_becomes_the_same_in_its_series_and_alone(changes: list[tuple[int, bytes, int]]) -> None:
    whole = encoded(Mosaic().fields)
    series = CsaSeries()
    for at, data, cut in changes:
        header = whole[:at] + data + whole[at + len(data) + 4 * (cut - 4) * (cut > 4) :]
        for untrusted in (header, whole, header[: len(header) - cut]):
            assert series.numbers_of(untrusted) == numbers_of(untrusted)


def test_a_field_that_stays_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fields, read = Mosaic().fields, []
    field = csa._field
    monkeypatch.setattr(csa, "_field", lambda data, pos, most: read.append(pos) or field(data, pos, most))
    series = CsaSeries()
    series.numbers_of(encoded(fields))
    assert len(read) == len(fields)
    name, multiplicity, vr, values = fields[3]
    series.numbers_of(encoded([*fields[:3], (name, multiplicity, vr, [*values, "7"]), *fields[4:]]))
    assert len(read) == len(fields) + 1
