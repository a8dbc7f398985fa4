"""The one door to pydicom's Datasets: nothing that pydicom says gets out, and what it cannot read is a DataFault."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydicom import config
from pydicom.errors import BytesLengthException, InvalidDicomError

from sendit.deid.stream.encodings import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding
from sendit.errors import DataFault

if TYPE_CHECKING:
    from pydicom import Dataset

UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""What pydicom raises for bytes that are no dataset and for values that are none of their VR."""


@contextmanager
def quiet() -> Iterator[None]:
    """pydicom warns and logs in words that hold values; here it says nothing."""
    disabled = config.logger.disabled
    config.logger.disabled = True
    try:
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        config.logger.disabled = disabled


def read_dataset(elements: bytes, encoding: Encoding) -> Dataset:
    """The Dataset of encoded elements whose structure has been walked."""
    from pydicom import dcmread

    uid = IMPLICIT_LITTLE if encoding.implicit else EXPLICIT_LITTLE if encoding.order == "<" else EXPLICIT_BIG
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(uid) + len(uid) % 2) + uid.encode() + b"\0" * (len(uid) % 2)
    try:
        with quiet():
            return dcmread(io.BytesIO(bytes(128) + b"DICM" + meta + elements), force=True)
    except UNREADABLE:
        raise DataFault("BadElement") from None
