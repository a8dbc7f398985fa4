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
from sendit.ground.terminal import counted


class Tally:
    """Images, bytes and batches done since the beginning, and how fast.

    Parameters
    ----------
    done : callable
        Says how many of each.
    """

    def __init__(self, done: Callable[[], tuple[int, int, int]]) -> None:
        self._done = done
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
        images_per_second, bytes_per_second = self.images / self.seconds, self.bytes / self.seconds
        speed = f"{_rounded(images_per_second)} images/s · {_rounded(bytes_per_second / 1e6)} MB/s"
        return f"{counted(self.images, 'image')} · {speed}"


def _rounded(rate: float) -> str:
    """To three digits or so: what is slow is not nothing."""
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


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
