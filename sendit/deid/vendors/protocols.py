"""Measurement protocols that vendors put into private elements as text: only the settings in a list, only as numbers.

Siemens: the ASCCONV part of MrPhoenixProtocol. GE: the Protocol Data Block, (0025,xx1B), which is gzip.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from sendit.deid.vendors.number_forms import form_of, looks_like_a_date

MOST_LINES, MOST_LINE_BYTES = 50_000, 512
_BEGIN, _END = b"### ASCCONV BEGIN", b"### ASCCONV END"

_AXES = "(?:Sag|Cor|Tra)"
_SLAB = rf"(?:sPosition\.d{_AXES}|sNormal\.d{_AXES}|dThickness|dPhaseFOV|dReadoutFOV|dInPlaneRot|ulShape)"
SETTINGS = (
    r"al(?:TR|TE|TI|TD)\[\d{1,3}\]",
    r"adFlipAngleDegree\[\d{1,3}\]",
    r"(?:sDiffusion\.|sKSpace\.|sFastImaging\.)?ucReadOutMode",
    r"ucCoilCombineMode",
    r"dAveragesDouble|lAverages|lRepetitions|lDelayTimeInTR|lContrasts|lInvContrasts|lTotalScanTimeSec",
    r"sAdjData\.uiAdjShimMode",
    r"sAsl\.(?:ulMode|ulSuppressionMode|ulLabelingDuration|ulArrayLength|sPostLabelingDelay\[\d{1,3}\])",
    r"sDiffusion\.(?:dsScheme|lDiffDirections|lDiffWeightings|ulMode|alBValue\[\d{1,3}\]|alAverages\[\d{1,3}\])",
    r"sDiffusion\.sFreeDiffusionData\.lDiffDirections",
    rf"sDiffusion\.sFreeDiffusionData\.asDiffDirVector\[\d{{1,3}}\]\.d{_AXES}",
    r"sFastImaging\.(?:lEPIFactor|lEchoSpacing|lEchoTrainDuration|lSegments|lShots|lTurboFactor)",
    r"sGRADSPEC\.(?:asGPAData\[\d{1,3}\]\.)?lOffset[XYZ]",
    r"sGRADSPEC\.alShimCurrent\[\d{1,3}\]",
    r"sKSpace\.(?:lBaseResolution|lPhaseEncodingLines|lPartitions|lImagesPerSlab|lRadialViews|uc2DInterpolation)",
    r"sKSpace\.(?:ucPhasePartialFourier|ucSlicePartialFourier|ucDimension|ucMultiSliceMode|unReordering)",
    r"sKSpace\.(?:dPhaseOversamplingForDialog|dSliceOversamplingForDialog|dPhaseResolution|dSliceResolution)",
    r"sPat\.(?:lAccelFactPE|lAccelFact3D|dTotalAccelFact|lRefLinesPE|lRefLines3D|ucPATMode|ucRefScanMode)",
    r"sPrepPulses\.(?:ucMTC|ucInversion|ucFatSat|ucWaterSat)",
    rf"sRSatArray\.(?:lSize|asElm\[\d{{1,3}}\]\.{_SLAB})",
    r"sSliceAcceleration\.(?:lMultiBandFactor|lFOVShiftFactor)",
    rf"sSliceArray\.asSlice\[\d{{1,3}}\]\.{_SLAB}",
    r"sSliceArray\.(?:anAsc\[\d{1,3}\]|anPos\[\d{1,3}\]|lSize|lConc|ucMode|ucImageNumb|ucImageNumb(?:Sag|Cor|Tra))",
    r"sTXSPEC\.asNucleusInfo\[\d{1,3}\]\.flReferenceAmplitude",
    r"sWi[pP]MemBlock\.(?:alFree|adFree)\[\d{1,3}\]",
)
"""The names of the settings that converters read, by the sources of dcm2niix (siemensCsaAscii) and nibabel."""

_SETTING = re.compile(
    rb"[ \t]*((?:%b))[ \t]*=[ \t]*([^#\r]*?)[ \t]*(?:#[^\r]*)?\r?" % "|".join(SETTINGS).encode("ascii")
)
_HEXADECIMAL = re.compile(rb"0x[0-9A-Fa-f]{1,4}")
_NUMBER = form_of("decimal -10000000..10000000")

SEQUENCES = (
    "ep2d_asl|ep2d_bold|ep2d_diff|ep2d_fid|ep2d_pace|ep2d_pasl|ep2d_pcasl|ep2d_se|ep2d_tra|epi_pace|fl3d_vibe|gre|"
    "gre_field_mapping|haste|pcasl3d|resolve|space|swi3d|tfi|tfl|tgse|tgse_asl|tir|trufi|tse|tse_vfl"
)
_SEQUENCE = re.compile(
    rb'[ \t]*tSequenceFileName[ \t]*=[ \t]*("{1,2})(%%SiemensSeq%%\\(?:%b))\1[ \t]*\r?' % SEQUENCES.encode("ascii")
)
"""Siemens' own sequences; the names of others are whatever somebody called them."""


def asc_conv(untrusted: bytes) -> bytes | None:
    """The numbers of the first ASCCONV part, as an ASCCONV part of its own; None where there are none."""
    begin = untrusted.find(_BEGIN)
    end = untrusted.find(_END, begin)
    if begin < 0 or end < 0:
        return None
    lines = list(_settings(untrusted[begin:end].split(b"\n", MOST_LINES)[1:]))
    return b"\n".join((_BEGIN + b" ###", *lines, _END + b" ###", b"")) if lines else None


def _settings(lines: list[bytes]) -> Iterator[bytes]:
    seen: set[bytes] = set()
    for line in lines:
        match = _SETTING.fullmatch(line) if len(line) <= MOST_LINE_BYTES else None
        if match and match[1] not in seen and is_setting(match[2]):
            seen.add(match[1])
            yield b"%b\t = \t%b" % (match[1], match[2])
        elif sequence := _SEQUENCE.fullmatch(line):
            yield b'tSequenceFileName\t = \t""%b""' % sequence[2]


def is_setting(value: bytes) -> bool:
    """Whether it is a number, which may be hexadecimal."""
    return _NUMBER.fits(value) or _HEXADECIMAL.fullmatch(value) is not None


# ---------------------------------------------------------------------------------------------- GE

GZIP_LIMIT = 1 << 20
_GZIP = b"\x1f\x8b"
GE_SETTINGS = ("SLICEORDER", "VIEWORDER", "MBACCEL", "NOSLC", "DELACQ", "DELACQNOAV", "IOPT", "PHASEDELAYS1")
"""What dcm2niix reads of the block (geProtocolBlock)."""

_GE_LINE = re.compile(rb'set[ \t]+(%b)[ \t]+"([^"]*)"' % "|".join(GE_SETTINGS).encode("ascii"))
_GE_OPTIONS = frozenset(
    (
        "2D|3D|ART|ARC|ASSET|ASPIR|BSP|CCOMP|CG|Cal|Cine|Classic|DE|DRG|Dual|EDR|ECG|FC|FC_freq_ax|FC_slice_ax|FR|FTED|Fast|"
        "Fluoro|Gat|IDEAL|IrP|IrPrep|LPF|MP|MPh|MPhVar|MRCP|MT|NPW|NP|PG|PROPELLER|Pear|RTr|RG|SPEC|SPIRAL|SqPix|SS|Seq|"
        "T2Prep|TRF|Tlrd|TLRD|VB|VERS|ZIP2|ZIP4|ZIP512|ZIP1024|FS|HyperBand|HB|Hyperband|Mb|MB"
    )
    .encode("ascii")
    .split(b"|")
)
_GE_VALUE = {
    b"DELACQ": re.compile(rb"Minimum|\d{1,6}(?:\.\d{1,6})?"),
    b"PHASEDELAYS1": re.compile(rb"\d{1,6}(?:\.\d{1,6})?(?:[ ,]+\d{1,6}(?:\.\d{1,6})?)*"),
}
_GE_NUMBER = re.compile(rb"-?\d{1,6}(?:\.\d{1,6})?")


def ge_protocol(untrusted: bytes) -> bytes | None:
    """A new Protocol Data Block with the settings that converters read, where they are numbers or defined terms.

    Before the gzip member stand four bytes with its length; a block without them is given none.
    """
    begin = 4 if untrusted[4:6] == _GZIP else 0
    text = _inflated(untrusted[begin:])
    lines = {} if text is None else dict(_ge_settings(text))
    if not lines:
        return None
    member = _gzip(b"".join(b'set %b "%b"\n' % line for line in lines.items()))
    return (len(member).to_bytes(4, "little") if begin else b"") + member


def _ge_settings(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in reversed(text.split(b"\n", MOST_LINES)):  # of two with one name the first counts
        match = _GE_LINE.fullmatch(line.strip()) if len(line) <= 16 * MOST_LINE_BYTES else None
        value = _ge_value(*match.groups()) if match else b""
        if match and value:
            yield match[1], value


def _ge_value(name: bytes, value: bytes) -> bytes:
    """The value, or what of its options is known; empty where it is none."""
    if name == b"IOPT":
        return b", ".join(option for option in value.replace(b" ", b"").split(b",") if option in _GE_OPTIONS)
    fits = _GE_VALUE.get(name, _GE_NUMBER).fullmatch(value) and not looks_like_a_date(value)
    return value if fits else b""


def _inflated(untrusted: bytes) -> bytes | None:
    """What a gzip member holds, of no more than a megabyte."""
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        text = inflate.decompress(untrusted, GZIP_LIMIT)
    except zlib.error:
        return None
    return text if inflate.eof else None


def _gzip(text: bytes) -> bytes:
    """A gzip member whose head says neither a time nor a name."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = deflate.compress(text) + deflate.flush()
    tail = zlib.crc32(text).to_bytes(4, "little") + len(text).to_bytes(4, "little")
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + packed + tail
