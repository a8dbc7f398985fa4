"""What the API takes as a primary key, and as the size of a page."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le

LARGEST = (1 << 63) - 1
Key = Annotated[int, Ge(0), Le(LARGEST)]
Size = Annotated[int, Ge(1), Le(500)]
