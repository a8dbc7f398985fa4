"""A run over a cohort: line by line, within the hours and at the pace allowed; a PACS that is away is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sendit.errors import ServiceDown
from sendit.ground import events
from sendit.receiving.models import RetrievalState
from sendit.receiving.retrieving import lines
from sendit.receiving.retrieving.hours import ALWAYS, Hours, Pace
from sendit.receiving.retrieving.lines import Line
from sendit.receiving.retrieving.source import Match, Source

PAUSES_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Between attempts to reach a PACS that does not answer; the last one is repeated."""

Say = Callable[[str], None]


@dataclass(slots=True)
class Run:
    """A run.

    Attributes
    ----------
    source : Source
    say : callable
        Told a word when the run begins to wait, and "" when it goes on.
    """

    source: Source
    hours: Hours = ALWAYS
    pace: Pace = field(default_factory=lambda: Pace(0))
    say: Say = lambda word: None
    sleep: Callable[[float], None] = time.sleep

    def retrieve(self, line: Line) -> RetrievalState:
        """Retrieve what a line names, however long the PACS is away."""
        failures = 0
        while True:
            self._wait_for_turn()
            try:
                state = self._try(line)
            except ServiceDown as error:
                events.log("retrieval.blind", code=error.code)
                self.say(error.code)
                self.sleep(PAUSES_SECONDS[min(failures, len(PAUSES_SECONDS) - 1)])
                failures += 1
                continue
            self.say("")
            return state

    def _wait_for_turn(self) -> None:
        while seconds := self.hours.seconds_until(datetime.now().astimezone()):
            self.say("waits for its hours")
            self.sleep(min(seconds, 60.0))
        while seconds := self.pace.seconds_until(time.monotonic()):
            self.sleep(min(seconds, 60.0))

    def _try(self, line: Line) -> RetrievalState:
        matches = self.source.find(line.keys)
        expected = sum(match.images for match in matches)
        received = sum(self._bring(match) for match in matches)
        if not matches:
            state = RetrievalState.MISSING
        else:
            state = RetrievalState.RETRIEVED if received >= expected else RetrievalState.INCOMPLETE
        lines.note(line, state, len(matches), expected, received)
        events.log("retrieval.ended", state=state.value, studies=len(matches), expected=expected, received=received)
        return state

    def _bring(self, match: Match) -> int:
        """Bring one study, unless it was handed over before; returns how many images came."""
        if lines.has_arrived(match.study, match.images):
            return match.images
        self.pace.take(time.monotonic())
        lines.begin(match.study, match.images)
        transfer = self.source.bring(match.study)
        is_whole = transfer.completed >= match.images and not transfer.failed
        lines.end(match.study, is_whole)
        return match.images if is_whole else min(transfer.completed, max(match.images - 1, 0))
