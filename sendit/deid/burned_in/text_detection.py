"""Where text is in a picture: PP-OCRv4's detector, at two sizes whose finds are united."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rapidocr_onnxruntime
from rapidocr_onnxruntime.ch_ppocr_det import TextDetector as PaddleDetector

from sendit.deid.burned_in.record import Box
from sendit.deid.burned_in.rendering import Pixels

SIDES = (512, 736)
"""The shorter side, in pixels, that smaller pictures are enlarged to."""
THRESHOLD, BOX_THRESHOLD = 0.2, 0.3
MOST_ENLARGED, MOST_PIXELS = 8, 1_500_000
"""How often a picture is enlarged at most, and the pixels that it may have then."""
MARGIN = 3
"""Pixels that a rectangle is grown by: the detector's are tight."""
THICKEST_PART, THICKEST_PIXELS = 0.2, 40
"""A find that is thicker than this part of the shorter side, and than so many pixels, is no line of text."""
ROUND, ROUND_PIXELS = 2, 20
"""A thicker find that is not so many times as long as it is thick counts where letters or digits can be read in it:
anatomy is round, and text of this size of less than three characters is rare."""
WORD = 0.8
LEGIBLE = 0.5
"""How sure the recogniser is of a character that counts."""


MODELS = Path(rapidocr_onnxruntime.__file__).parent / "models"
_ENGINE = {"use_cuda": False, "use_dml": False, "intra_op_num_threads": 1, "inter_op_num_threads": 1}
_RECOGNIZER = {**_ENGINE, "rec_img_shape": [3, 48, 320], "rec_batch_num": 1}


def _has_characters(text: str, confidence: float) -> bool:
    return confidence >= LEGIBLE and any(character.isalnum() for character in text)


def _limited(side: int, rows: int, columns: int) -> int:
    """The shorter side that a picture is enlarged to: of a narrow one less, which would become very long."""
    shorter, longer = sorted((rows, columns))
    most = min(MOST_ENLARGED * shorter, math.isqrt(MOST_PIXELS * shorter // longer))
    return max(min(side, most), 32) if shorter < side else side


class PaddleTextDetector:
    """PP-OCRv4 mobile in ONNX Runtime, one thread, as rapidocr-onnxruntime ships it."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self._detector = PaddleDetector(
            {
                **_ENGINE,
                "model_path": str(MODELS / "ch_PP-OCRv4_det_infer.onnx"),
                "limit_side_len": SIDES[0],
                "limit_type": "min",
                "thresh": THRESHOLD,
                "box_thresh": BOX_THRESHOLD,
                "max_candidates": 1000,
                "unclip_ratio": 1.6,
                "use_dilation": True,
                "score_mode": "fast",
            }
        )
        self._recognizer: Any = None

    @property
    def name(self) -> str:
        """Its name and version."""
        return f"PP-OCRv4 (rapidocr-onnxruntime {version('rapidocr-onnxruntime')})"

    def boxes(self, picture: Pixels, *, thorough: bool) -> list[Box]:
        """Return rectangles around all text."""
        sides = [side for side in SIDES if side == SIDES[0] or (thorough and min(picture.shape[:2]) < side)]
        return [_around(quad) for side in sides for quad in self._quads(picture, side)]

    def _quads(self, picture: Pixels, side: int) -> Iterator[Any]:
        thickest = max(THICKEST_PART * min(picture.shape[:2]), THICKEST_PIXELS)
        self._detector.limit_side_len = _limited(side, *picture.shape[:2])
        found, _ = self._detector(picture)
        for quad in () if found is None else found:
            short, long = sorted((np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[1] - quad[2])))
            is_line = short <= ROUND_PIXELS or long >= ROUND * short
            if short <= thickest and (is_line or self._is_word(picture, _around(quad).within(*picture.shape[:2]))):
                yield quad

    def _is_word(self, picture: Pixels, box: Box) -> bool:
        text, confidence = self._read(np.ascontiguousarray(picture[box.top : box.bottom, box.left : box.right]))
        return confidence >= WORD and any(character.isalnum() for character in text)

    def is_legible(self, picture: Pixels, box: Box) -> bool:
        """Return whether letters or digits can be read in a rectangle of a picture."""
        crop = picture[box.top : box.bottom, box.left : box.right]
        upright = [crop, np.rot90(crop), np.rot90(crop, 3)] if crop.shape[0] > 1.5 * crop.shape[1] else [crop]
        return any(_has_characters(*self._read(np.ascontiguousarray(one))) for one in upright)

    def _read(self, line: Pixels) -> tuple[str, float]:
        """The text of a line, and how sure the recogniser is of it."""
        if self._recognizer is None:
            from rapidocr_onnxruntime.ch_ppocr_rec import TextRecognizer

            self._recognizer = TextRecognizer(_RECOGNIZER | {"model_path": str(MODELS / "ch_PP-OCRv4_rec_infer.onnx")})
        ((text, confidence, *_),), _ = self._recognizer([line])
        return str(text), float(confidence)


def _around(quad: Any) -> Box:
    (left, top), (right, bottom) = np.floor(quad.min(0)), np.ceil(quad.max(0)) + 1
    return Box(int(left), int(top), int(right), int(bottom)).grown(MARGIN)
