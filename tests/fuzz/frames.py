"""Hostile frames: mutated codestreams in the pixel data of images that are looked at, through the public door.

    python -m tests.fuzz.frames [--frames 100000] [--first 0]

Each becomes an image, or is withheld or refused. A decoder may end its process, which is started again; a worker may
not end, wait or grow.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from sendit.deid import deidentify
from sendit.deid.burned_in import detector
from sendit.deid.burned_in.coding.codecs import CODECS
from sendit.deid.burned_in.detector import Detector
from sendit.deid.burned_in.picture import Picture
from sendit.deid.recipe.recipe import load_recipe
from sendit.errors import DataFault
from tests.support.burned_in import KEY, VARIABLES, encoded, image

SYNTAXES = (
    JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, JPEG2000, HTJ2KLossless,
    RLELossless,
)  # fmt: skip
SECONDS, MEGABYTES = 20.0, 700
"""What one image may take by the clock, a decoder's own 10 seconds and its new process included, and a process hold."""
ROWS, COLUMNS = 40, 56
RECIPE = load_recipe("research")
LENGTHS = (0, 1, 2, 0xFF, 0x7FFF, 0xFFFF)


@dataclass
class Suffered:
    """What became of mutants."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0
    peak_megabytes: int = 0


def base(syntax: str) -> tuple[Any, bytes]:
    """An image of a syntax, and its frame."""
    pixels = np.random.default_rng(7).integers(0, 120, (1, ROWS, COLUMNS)).astype(np.uint8)
    pixels[:, 8:20, 8:30] = 255
    if syntax == JPEGExtended12Bit:
        wide = pixels.astype(np.uint16) * 16
        return image(wide, syntax=syntax, BitsStored=12), bytes(imagecodecs.jpeg8_encode(wide[0], bitspersample=12))
    ds = image(pixels, syntax=syntax)
    if syntax == JPEGBaseline8Bit:
        return ds, bytes(imagecodecs.jpeg8_encode(pixels[0], level=90))
    picture = Picture(syntax, "<", ROWS, COLUMNS, 1, 8, 8, 0, 0, "MONOCHROME2", 1)
    return ds, CODECS[syntax].encode(pixels[0][..., None], picture)


def mutant(frame: bytes, number: int) -> bytes:
    """The numbered mutant of a frame."""
    rng, data = random.Random(number), bytearray(frame)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(data)) if rng.random() < 0.5 else rng.randrange(min(len(data), 200))
        match rng.randrange(5):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                data[at : at + 2] = rng.choice(LENGTHS).to_bytes(2, "big")
            case 2:
                del data[at : at + rng.randrange(1, 40)]
            case 3:
                data[at:at] = data[max(at - 30, 0) : at]
            case _:
                data[at] ^= 1 << rng.randrange(8)
        data = data or bytearray(b"\0")
    return bytes(data)


def suffer(frames: int, first: int = 0) -> Suffered:
    """Have so many mutants cleaned, from the numbered one on; all in one worker."""
    own, found = Detector("tests.support.detectors:FindsWhite"), Suffered()
    shared, detector._SHARED = detector._SHARED, own
    try:
        bases = [base(syntax) for syntax in SYNTAXES]
        for number in range(first, first + frames):
            ds, frame = bases[number % len(bases)]
            ds.PixelData = encapsulate([mutant(frame, number)])
            ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
            _suffer_one(encoded(ds), number, own, found)
    finally:
        detector._SHARED = shared
        own.end()
    return found


def _suffer_one(data: bytes, number: int, own: Detector, found: Suffered) -> None:
    began, before = time.monotonic(), own._process
    try:
        deidentify(data, recipe=RECIPE, key=KEY, variables=VARIABLES).tobytes()
        outcome = "image"
    except DataFault as fault:
        outcome = fault.code
    except Exception as error:  # noqa: BLE001 - whatever it is, it may not be
        outcome = type(error).__name__
        found.failures.append(f"frame {number}: {error!r}")
    seconds = time.monotonic() - began
    found.outcomes[outcome] += 1
    found.outcomes["decoder ended"] += before is not None and before is not own._process
    found.slowest_seconds = max(found.slowest_seconds, seconds)
    if seconds > SECONDS:
        found.failures.append(f"frame {number}: took {seconds:.0f} s")
    if number % 50 == 0 and own._process is not None:
        found.peak_megabytes = max(found.peak_megabytes, peak_megabytes(own._process.pid))
    if found.peak_megabytes > MEGABYTES:
        found.failures.append(f"frame {number}: {found.peak_megabytes} MB")


def peak_megabytes(process: int) -> int:
    """The most memory that a process had; 0 for one that is gone."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def main() -> int:
    """Suffer, and say what became of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.frames")
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    found = suffer(options.frames, options.first)
    for outcome, count in sorted(found.outcomes.items()):
        print(f"  {outcome:22} {count:8}")
    print(f"the slowest took {found.slowest_seconds:.2f} s; peak memory of the decoders {found.peak_megabytes} MB")
    print("\n".join(f"WRONG  {failure}" for failure in found.failures[:50]))
    return bool(found.failures)


if __name__ == "__main__":
    sys.exit(main())
