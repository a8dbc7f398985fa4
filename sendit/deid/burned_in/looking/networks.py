"""PP-OCRv4's two networks in ONNX Runtime, as rapidocr-onnxruntime ships them: where lines are, and what they say."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import rapidocr_onnxruntime
from rapidocr_onnxruntime.ch_ppocr_det.utils import DBPostProcess

from sendit.deid.burned_in.looking.rendering import Pixels

NAME = f"PP-OCRv4 (rapidocr-onnxruntime {version('rapidocr-onnxruntime')})"
MODELS = Path(rapidocr_onnxruntime.__file__).parent / "models"
THRESHOLD, BOX_THRESHOLD, UNCLIPPED, MOST_FINDS = 0.2, 0.3, 1.6, 1000
STEP = 32
"""What the sides of a picture are multiples of, when the network looks at it."""
LEAST = 3
"""Pixels: a find of less on one side is none."""
_RECOGNIZER = {
    "use_cuda": False,
    "use_dml": False,
    "intra_op_num_threads": 1,
    "inter_op_num_threads": 1,
    "rec_img_shape": [3, 48, 320],
    "rec_batch_num": 1,
}


def _session(model: str) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(MODELS / model), options, providers=["CPUExecutionProvider"])


class LineNetwork:
    """Finds lines of text, as quadrilaterals."""

    def __init__(self) -> None:
        self._session = _session("ch_PP-OCRv4_det_infer.onnx")
        self._input = self._session.get_inputs()[0].name
        self._finds = DBPostProcess(
            thresh=THRESHOLD,
            box_thresh=BOX_THRESHOLD,
            max_candidates=MOST_FINDS,
            unclip_ratio=UNCLIPPED,
            score_mode="fast",
            use_dilation=True,
        )
        self._shrinking = onnxruntime.RunOptions()
        self._shrinking.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    def quads(self, picture: Pixels, side: int) -> list[Pixels]:
        """Return the corners of all lines, looking at a picture whose shorter side is enlarged to `side` if it is less.

        Parameters
        ----------
        picture : array of uint8
            Rows × columns × blue, green, red.
        """
        rows, columns = picture.shape[:2]
        factor = max(side / min(rows, columns), 1.0)
        size = [max(round(length * factor / STEP), 1) * STEP for length in (columns, rows)]
        seen = cv2.resize(picture, size).astype(np.float32)
        given = np.ascontiguousarray(((seen - 127.5) * (1 / 127.5)).transpose(2, 0, 1)[None])
        (likely,) = self._session.run(None, {self._input: given}, self._shrinking)
        found, _ = self._finds(likely, (rows, columns))
        return [quad for quad in found if min(Sides.of(quad)) > LEAST]


class Sides(NamedTuple):
    """The lengths of a quadrilateral's shorter and longer sides."""

    short: float
    long: float

    @classmethod
    def of(cls, quad: Pixels) -> Sides:
        """Return those of corners in the order in which they follow each other."""
        return cls(*sorted(float(np.linalg.norm(quad[at] - quad[at + 1])) for at in (0, 1)))


class Reading(NamedTuple):
    """What a line says, and how sure the network is of its characters."""

    text: str
    confidence: float

    @property
    def characters(self) -> int:
        """How many letters and digits it has."""
        return sum(character.isalnum() for character in self.text)


class ReadingNetwork:
    """Reads a line of text; it is loaded when it is first asked."""

    def __init__(self) -> None:
        self._recognizer: Any = None

    def read(self, line: Pixels) -> Reading:
        """Return what stands in a picture of one line."""
        if self._recognizer is None:
            from rapidocr_onnxruntime.ch_ppocr_rec import TextRecognizer

            self._recognizer = TextRecognizer(_RECOGNIZER | {"model_path": str(MODELS / "ch_PP-OCRv4_rec_infer.onnx")})
        ((text, confidence, *_),), _ = self._recognizer([np.ascontiguousarray(line)])
        return Reading(str(text), float(confidence))
