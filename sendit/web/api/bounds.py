"""What the API takes as a primary key, as the size of a page, and as a reason."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le
from pydantic import StringConstraints

LARGEST = (1 << 63) - 1
Key = Annotated[int, Ge(0), Le(LARGEST)]
Size = Annotated[int, Ge(1), Le(500)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
