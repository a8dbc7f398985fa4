"""The process that decodes and looks at pixels: messages in, messages out, until it has been idle for a while.

It is given frames and what their header says of them, and no name. It writes no file, and its messages hold numbers.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from sendit.deid.burned_in.coding.codecs import Undecodable
from sendit.deid.burned_in.coding.frames import blanked, decoded, is_proven, shown
from sendit.deid.burned_in.looking.examination import Examination
from sendit.deid.burned_in.looking.text_detector import TextDetector
from sendit.deid.burned_in.messages import Aim, Ended, Message, receive, send
from sendit.deid.burned_in.picture import Picture
from sendit.deid.burned_in.record import Box

IDLE_SECONDS = 60.0
LOOK_UP_SECONDS = 5.0
DECODING, DECODING_SECONDS = frozenset({"look", "prove", "blank"}), 10.0
MORE_BYTES = 1 << 30


class Conversation:
    """Answers a worker's messages about one image after the other.

    Parameters
    ----------
    detector : TextDetector
    """

    def __init__(self, detector: TextDetector) -> None:
        self._detector = detector
        self._picture: Picture | None = None
        self._masks: list[Box] = []
        self._examination: Examination | None = None
        self._answers: dict[str, Callable[[dict[str, Any], bytes], Message]] = {
            "begin": self._begin,
            "look": self._look,
            "prove": self._prove,
            "blank": self._blank,
            "step": self._step,
            "boxes": self._boxes,
        }

    def answer(self, message: Message) -> Message:
        """Return the answer to one message."""
        try:
            with limited_time(message.said["do"] in DECODING):
                return self._answers[message.said["do"]](message.said, message.data)
        except (Undecodable, MemoryError):
            return Message({"fault": "undecodable"})

    def _begin(self, said: dict[str, Any], data: bytes) -> Message:
        """An image, or another round with more rectangles blanked."""
        self._picture = Picture.of_json(said["picture"])
        self._masks = [Box(*box) for box in said["masks"]]
        aim, keeps = Aim(said["aim"]), said.get("keeps") is True
        self._examination = Examination(shown(self._picture), self._detector, self._masks, aim, keeps)
        return Message({"detector": self._detector.name})

    def _look(self, said: dict[str, Any], data: bytes) -> Message:
        """A frame as it came."""
        picture, examination = self._current()
        return Message({"full": examination.add(decoded(data, picture))})

    def _prove(self, said: dict[str, Any], data: bytes) -> Message:
        """A frame as it came, and behind it as it is delivered."""
        picture, examination = self._current()
        before, after = decoded(data[: said["before"]], picture), decoded(data[said["before"] :], picture)
        alike = is_proven(before, after, self._masks, picture)
        return Message({"alike": alike, "full": examination.add(after)})

    def _blank(self, said: dict[str, Any], data: bytes) -> Message:
        """A compressed frame; the answer has it blanked, and whether all else is as it was when it is decoded."""
        picture, examination = self._current()
        done = blanked(data, picture, self._masks)
        return Message({"alike": done.is_proven, "full": examination.add(done.after)}, done.frame)

    def _step(self, said: dict[str, Any], data: bytes) -> Message:
        """Look at the frames so far."""
        self._current()[1].look()
        return Message({})

    def _boxes(self, said: dict[str, Any], data: bytes) -> Message:
        examination = self._current()[1]
        boxes = [list(box) for box in examination.boxes()]
        return Message({"boxes": boxes, "kept": [[list(box), text] for box, text in examination.kept()]})

    def _current(self) -> tuple[Picture, Examination]:
        assert self._picture is not None and self._examination is not None
        return self._picture, self._examination


@contextmanager
def limited_time(is_limited: bool) -> Iterator[None]:
    """End this process where codecs take more processor time for a frame than any true one needs."""
    signal.setitimer(signal.ITIMER_PROF, DECODING_SECONDS if is_limited else 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def limit_memory() -> None:
    """Codecs may have so much more than there is now; beyond it they fail, and the frame is not decoded."""
    with open("/proc/self/statm", encoding="ascii") as file:
        held = int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_DATA, (held + MORE_BYTES, held + MORE_BYTES))


def main() -> None:
    """Answer until the worker is gone, or has asked nothing for a while."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    incoming, outgoing = os.dup(0), os.dup(1)
    os.dup2(2, 1)  # what a library prints is no message
    module, _, name = sys.argv[1].partition(":")
    conversation = Conversation(getattr(import_module(module), name)())
    limit_memory()
    worker = os.getppid()
    while _is_asked(incoming, worker):
        try:
            send(outgoing, conversation.answer(receive(incoming)))
        except Ended:
            return


def _is_asked(handle: int, worker: int) -> bool:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    for _ in range(int(IDLE_SECONDS / LOOK_UP_SECONDS)):
        if poll.poll(LOOK_UP_SECONDS * 1000):
            return True
        if os.getppid() != worker:
            return False
    return False


if __name__ == "__main__":
    main()
