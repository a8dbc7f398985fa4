"""The process that decodes and looks at pixels: messages in, messages out, until it has been idle for a while.

It is given frames and what their header says of them, and no name. It writes no file, and its messages hold numbers.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from sendit.deid.burned_in.codecs import Undecodable
from sendit.deid.burned_in.examination import Examination
from sendit.deid.burned_in.frames import blanked, decoded, is_proven, shown
from sendit.deid.burned_in.messages import Ended, Message, receive, send
from sendit.deid.burned_in.picture import Picture
from sendit.deid.burned_in.record import Box
from sendit.deid.burned_in.text_detector import TextDetector

IDLE_SECONDS = 60.0
LOOK_UP_SECONDS = 5.0


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
            "boxes": self._boxes,
        }

    def answer(self, message: Message) -> Message:
        """Return the answer to one message."""
        try:
            return self._answers[message.said["do"]](message.said, message.data)
        except Undecodable:
            return Message({"fault": "undecodable"})

    def _begin(self, said: dict[str, Any], data: bytes) -> Message:
        """An image, or another round with more rectangles blanked."""
        self._picture = Picture.of_json(said["picture"])
        self._masks = [Box(*box) for box in said["masks"]]
        self._examination = Examination(shown(self._picture), self._detector, self._masks, reads=said["reads"])
        return Message({"detector": self._detector.name})

    def _look(self, said: dict[str, Any], data: bytes) -> Message:
        """A frame as it came."""
        picture, examination = self._current()
        examination.add(decoded(data, picture))
        return Message({})

    def _prove(self, said: dict[str, Any], data: bytes) -> Message:
        """A frame as it came, and behind it as it is delivered."""
        picture, examination = self._current()
        before, after = decoded(data[: said["before"]], picture), decoded(data[said["before"] :], picture)
        examination.add(after)
        return Message({"alike": is_proven(before, after, self._masks, picture)})

    def _blank(self, said: dict[str, Any], data: bytes) -> Message:
        """A compressed frame; the answer has it blanked, and whether all else is as it was when it is decoded."""
        picture, examination = self._current()
        done = blanked(data, picture, self._masks)
        examination.add(done.after)
        return Message({"alike": done.is_proven}, done.frame)

    def _boxes(self, said: dict[str, Any], data: bytes) -> Message:
        _, examination = self._current()
        boxes = [list(box) for box in examination.boxes()]
        return Message({"boxes": boxes, "legible": examination.is_legible})

    def _current(self) -> tuple[Picture, Examination]:
        assert self._picture is not None and self._examination is not None
        return self._picture, self._examination


def main() -> None:
    """Answer until the worker is gone, or has asked nothing for a while."""
    incoming, outgoing = os.dup(0), os.dup(1)
    os.dup2(2, 1)  # what a library prints is no message
    module, _, name = sys.argv[1].partition(":")
    conversation = Conversation(getattr(import_module(module), name)())
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
