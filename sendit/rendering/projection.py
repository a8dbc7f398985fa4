"""Many images of one size in one picture: of each pixel what is brightest in any of them, as burned-in text is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from sendit.errors import DataFault
from sendit.rendering.display import shown
from sendit.rendering.frames import Picture
from sendit.rendering.png import png


def brightest(files: Iterable[Path]) -> bytes:
    """Return a PNG of the first frames, each through its own window; other sizes than the first one's are left out.

    Raises DataFault where none of the images can be shown.
    """
    made: Any = None
    for file in files:
        try:
            picture = shown(Picture(file).frame(1), None)
        except (DataFault, OSError):
            continue
        if made is None:
            made = picture
        elif made.shape == picture.shape:
            made = np.maximum(made, picture)
    if made is None:
        raise DataFault("NoPicture")
    return png(made)
