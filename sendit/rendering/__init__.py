"""Images as a browser shows them: frames decoded, windowed, and written as PNG. It knows no Django and no batch.

Needs the extra `pixels` (numpy and imagecodecs).
"""

from __future__ import annotations

from importlib.util import find_spec


def is_available() -> bool:
    """Return whether the packages are there that rendering needs."""
    return all(find_spec(name) is not None for name in ("numpy", "imagecodecs"))
