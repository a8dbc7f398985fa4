"""What a person sees while batches are worked on: a moving line on a terminal, plain event lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from sendit.ground import logs
from sendit.ground.terminal import counted, megabytes, rates


class Tally:
    """Images, bytes and batches done since the beginning, and how fast.

    Parameters
    ----------
    done : callable
        Says how many of each.
    """

    def __init__(self, done: Callable[[], tuple[int, int, int]], *, is_upload: bool = False) -> None:
        self._done, self._is_upload = done, is_upload
        self._began_at = time.monotonic()
        self.look()

    def look(self) -> None:
        """See what is done by now."""
        self.images, self.bytes, self.batches = self._done()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return max(time.monotonic() - self._began_at, 1e-9)

    def __str__(self) -> str:
        """An upload moves archives: how many images are in one says nothing of its speed."""
        done = {"bytes_": self.bytes} if self._is_upload else {"images": self.images, "bytes_": self.bytes}
        return " · ".join([counted(self.images, "image"), megabytes(self.bytes), *rates(self.seconds, **done)])


@contextmanager
def shown(tally: Tally, to_do: int, stream: TextIO, form: str) -> Iterator[None]:
    """Show the tally and how many batches are left on a terminal; on anything else the events, one a line."""
    if not stream.isatty():
        with logs.written_to(stream, form):
            yield
        return

    def line() -> Text:
        tally.look()
        return Text(f"{counted(max(to_do - tally.batches, 0), 'batch', 'batches')} left · {tally}")

    with Live(console=Console(file=stream), get_renderable=line, refresh_per_second=5, transient=True):
        yield
