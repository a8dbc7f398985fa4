"""How a process hears that it is to stop: a pipe on which nothing is ever written, and whose end is the word."""

from __future__ import annotations

import os
import select


class Lifeline:
    """The reading end of such a pipe, and, in the process that holds the others, its writing end.

    The pipe ends when the holder lets go of it, and also when the holder is killed: no worker outlives its supervisor
    with a batch in hand.
    """

    def __init__(self, heard: int | None = None) -> None:
        self._held: int | None = None
        if heard is None:
            heard, self._held = os.pipe()
        self.heard = heard
        self._has_ended = False
        self._poll = select.poll()
        self._poll.register(heard, select.POLLIN)

    def let_go(self) -> None:
        """Close the writing end. The holder calls it to end the others; each of the others, right after its fork."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    @property
    def is_held(self) -> bool:
        """Whether this process holds it and has not let go."""
        return self._held is not None

    def has_ended(self) -> bool:
        """Whether the holder let go, or is dead."""
        if not self._has_ended:
            self._has_ended = bool(self._poll.poll(0))
        return self._has_ended
