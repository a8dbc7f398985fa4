"""Measurement protocols: the settings that are kept, as numbers; and nothing else."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendit.deid.vendors.protocols import GE_SETTINGS, GZIP_LIMIT, asc_conv, ge_protocol
from tests.support.mosaics import protocol


def kept(**settings: object) -> list[str]:
    made = asc_conv(protocol(**settings).encode("latin-1"))
    return [] if made is None else made.decode("ascii").splitlines()[1:-1]


@pytest.mark.parametrize(
    ("name", "value"),
    [("sFastImaging__lEchoSpacing", "560"), ("sSliceArray__ucMode", "0x4"), ("alTE[0]", "30000"),
     ("alTR[0]", "3000000"), ("sSliceArray__asSlice[12]__sNormal__dTra", "-0.99984770"),
     ("sGRADSPEC__lOffsetX", "-10626"), ("sWiPMemBlock__adFree[13]", "6.67363e-005"),
     ("sTXSPEC__asNucleusInfo[0]__flReferenceAmplitude", "399.953")],
)  # fmt: skip
def test_a_setting_that_converters_read_stays(name: str, value: str) -> None:
    assert kept(**{name: value}) == [f"{name.replace('__', '.')}\t = \t{value}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("tProtocolName", '""Kowalczyk""'), ("sFastImaging__lEchoSpacing", '""Zofia""'), ("alTE[0]", "19630417"),
     ("alTE[19630417]", "30"), ("Zofia__ucReadOutMode", "1"), ("alTE[0]", "30000 Zofia"), ("alTE[0]", "0xDEADBEEF"),
     ("alTE[0]", "17041963"), ("alTE[0]", "07041963"), ("sCoilSelectMeas__tCoil", '""HEA""'),
     ("lFrequency", "123247642"),
     ("tSequenceFileName", r'""%CustomerSeq%\zofia_bold""'), ("tSequenceFileName", r'""%SiemensSeq%\zofia""')],
)  # fmt: skip
def test_anything_else_goes(name: str, value: str) -> None:
    assert kept(**{name: value}) == []


def test_a_comment_behind_a_number_goes_and_the_number_stays() -> None:
    assert kept(**{"alTE[0]": "30000  # Zofia 1963"}) == ["alTE[0]\t = \t30000"]


def test_a_sequence_of_siemens_own_is_named() -> None:
    (line,) = kept(tSequenceFileName=r'""%SiemensSeq%\ep2d_bold""')
    assert line.endswith(r'""%SiemensSeq%\ep2d_bold""')


@pytest.mark.parametrize(
    "data", [b"", b"### ASCCONV BEGIN", b"### ASCCONV END ###\n### ASCCONV BEGIN ###\nalTE[0] = 3\n"]
)
def test_what_has_no_such_part_is_nothing(data: bytes) -> None:
    assert asc_conv(data) is None


# ------------------------------------------------------------------------------------------------- GE


def ge(text: str) -> bytes | None:
    made = ge_protocol(gzip.compress(text.encode("latin-1")))
    return None if made is None else gzip.decompress(made)


def test_ge_settings_stay() -> None:
    text = (
        'set SLICEORDER "1"\nset VIEWORDER "1"\nset NOSLC "36"\nset MBACCEL "3"\nset DELACQ "Minimum"\n'
        'set IOPT "EDR, Fast, MPh"\nset PATNAME "Kowalczyk"\nset DELACQNOAV "0.5"\n'
    )
    made = ge(text)
    assert made is not None and set(made.splitlines()) == {
        line.encode() for line in text.splitlines() if "PATNAME" not in line
    }


def test_the_length_before_the_block_is_the_new_ones() -> None:
    packed = gzip.compress(b'set SLICEORDER "1"\nset PATNAME "Kowalczyk"\n')
    made = ge_protocol(len(packed).to_bytes(4, "little") + packed)
    assert made is not None and int.from_bytes(made[:4], "little") == len(made) - 4
    assert gzip.decompress(made[4:]) == b'set SLICEORDER "1"\n'


@pytest.mark.parametrize("value", ["Kowalczyk", "19630417", "1 Zofia", "1234567", "17.04.1963", "MRN77012"])
def test_no_text_and_no_date_passes_in_a_ge_setting(value: str) -> None:
    made = ge("".join(f'set {name} "{value}"\n' for name in GE_SETTINGS))
    assert made is None or value.encode() not in made


def test_an_option_that_nobody_knows_goes_alone() -> None:
    assert ge('set IOPT "EDR, Zofia, MPh"\n') == b'set IOPT "EDR, MPh"\n'


def test_the_new_blocks_head_says_neither_name_nor_time() -> None:
    made = ge_protocol(gzip.compress(b'set SLICEORDER "1"\n', mtime=1_700_000_000))
    assert made is not None and made[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    assert made[-4:] == len(b'set SLICEORDER "1"\n').to_bytes(4, "little")


@given(st.binary(max_size=400))
def test_any_bytes_are_a_block_or_none(data: bytes) -> None:
    for untrusted in (data, gzip.compress(data), gzip.compress(data)[:-4]):
        made = ge_protocol(untrusted)
        assert made is None or gzip.decompress(made)


def test_a_block_that_inflates_without_end_is_none() -> None:
    assert ge_protocol(gzip.compress(b'set SLICEORDER "1"\n' + bytes(2 * GZIP_LIMIT))) is None
