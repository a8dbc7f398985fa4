"""Pictures without text that are like those that scanners make: 8 bits, grayscale, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]
SIDE = 512


def ultrasound(rng: np.random.Generator, rows: int = SIDE, columns: int = SIDE) -> Picture:
    """A fan of speckle on black."""
    y, x = np.mgrid[:rows, :columns]
    depth, angle = np.hypot(y + 40, x - columns / 2), np.arctan2(x - columns / 2, y + 40)
    fan = (np.abs(angle) < 0.6) & (depth > 80) & (depth < 1.03 * rows)
    speckle = cv2.GaussianBlur(rng.rayleigh(1, (rows, columns)).astype(np.float32), (0, 0), 1.2)
    tissue = 60 + 50 * np.sin(depth / 35) + 25 * np.sin(angle * 9)
    return np.where(fan, np.clip(tissue * speckle / 1.25, 0, 255), 0)


def angiography(rng: np.random.Generator, rows: int = SIDE, columns: int = SIDE) -> Picture:
    """Vessels in noise."""
    y, x = np.mgrid[:rows, :columns]
    picture = (120 + 50 * np.sin(x / 170) + 30 * np.cos(y / 130)).astype(np.float32)
    for _ in range(12):
        points = np.cumsum(rng.normal(0, 9, (40, 2)), 0) + rng.uniform(60, 450, 2)
        cv2.polylines(picture, [points.astype(np.int32)], False, float(rng.uniform(40, 90)), int(rng.integers(2, 7)))
    return cv2.GaussianBlur(picture, (0, 0), 1) + rng.normal(0, 12, (rows, columns))


def chest(rng: np.random.Generator, rows: int = SIDE, columns: int = SIDE) -> Picture:
    """Ribs, between dark edges."""
    y, x = np.mgrid[:rows, :columns] * (SIDE / rows)
    picture = 170 * np.exp(-((x - 256) ** 2 / 60000 + (y - 256) ** 2 / 90000))
    for rib in range(9):
        picture += 25 * np.exp(-((y - 60 - 45 * rib - 18 * np.sin(x / 90)) ** 2) / 60)
    picture += rng.normal(0, 5, (rows, columns))
    picture[:, : columns // 23], picture[:, -columns // 23 :] = 4, 4
    return picture


def photograph(rng: np.random.Generator, rows: int = SIDE, columns: int = SIDE) -> Picture:
    """Soft shapes with sharp edges, as light shows skin, mucosa and instruments."""
    picture = cv2.GaussianBlur(rng.normal(0, 1, (rows, columns)).astype(np.float32), (0, 0), 40)
    picture = 130 + picture / picture.std() * 35
    for _ in range(6):
        center = (int(rng.integers(0, columns)), int(rng.integers(0, rows)))
        axes = (int(rng.integers(20, 120)), int(rng.integers(20, 120)))
        shape = np.zeros((rows, columns), np.float32)
        cv2.ellipse(shape, center, axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
        picture += cv2.GaussianBlur(shape, (0, 0), float(rng.uniform(1, 6))) * float(rng.uniform(-50, 50))
    return picture + rng.normal(0, 3, (rows, columns))


def screen(rng: np.random.Generator, rows: int = SIDE, columns: int = SIDE) -> Picture:
    """A page of a workstation: flat panels, lines, a curve."""
    picture = np.full((rows, columns), 24, np.float32)
    for _ in range(5):
        left, top = int(rng.integers(0, columns - 80)), int(rng.integers(0, rows - 60))
        level, size = float(rng.integers(30, 90)), (int(rng.integers(60, 260)), int(rng.integers(40, 160)))
        cv2.rectangle(picture, (left, top), (left + size[0], top + size[1]), level, -1)
        cv2.rectangle(picture, (left, top), (left + size[0], top + size[1]), 130.0, 1)
    points = [(x, int(rows / 2 + 60 * np.sin(x / 23) * np.exp(-x / 300))) for x in range(0, columns, 4)]
    cv2.polylines(picture, [np.array(points, np.int32)], False, 200.0, 1)
    return picture


BACKGROUNDS: dict[str, Callable[..., Picture]] = {
    "ultrasound": ultrasound,
    "angiography": angiography,
    "chest": chest,
    "photograph": photograph,
    "screen page": screen,
}
