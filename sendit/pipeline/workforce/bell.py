"""How local workers that wait hear that there may be work: a pipe into which whoever knows of some writes a byte."""

from __future__ import annotations

import os
import select
from collections.abc import Sequence
from contextlib import suppress

from sendit.pipeline.workforce.lifeline import Lifeline

MANY_RINGS = 4096


class Bell:
    """The pipe, from the side of any process that has it open. A ring wakes one worker and says nothing but that.

    Parameters
    ----------
    ends : sequence of int
        The descriptors of the reading and of the writing end; a new pipe where they are not given.
    """

    def __init__(self, ends: Sequence[int] = ()) -> None:
        self.ends = tuple(ends) or os.pipe()
        for end in self.ends:
            os.set_blocking(end, False)

    def ring(self) -> None:
        """Say that there may be work; where thousands of rings wait, one more says nothing new."""
        with suppress(BlockingIOError):
            os.write(self.ends[1], b"!")

    def wait(self, lifeline: Lifeline, seconds: float) -> None:
        """Wait for a ring, or for the end. Whoever hears takes all rings: one look finds what any of them meant."""
        ready, _, _ = select.select([self.ends[0], lifeline.heard], [], [], seconds)
        if self.ends[0] in ready:
            with suppress(BlockingIOError):  # another worker was faster
                os.read(self.ends[0], MANY_RINGS)

    def close(self) -> None:
        """Close this process's ends."""
        for end in self.ends:
            os.close(end)
