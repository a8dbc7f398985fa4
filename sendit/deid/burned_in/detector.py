"""The detector as a worker sees it: a process that is started when it is first needed, and asked over a pipe."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from sendit.deid.burned_in.messages import Ended, Message, receive, send
from sendit.errors import DataFault, ServiceDown

DETECTOR = "sendit.deid.burned_in.looking.text_detection:PaddleTextDetector"
PROCESS = "sendit.deid.burned_in.detector_process"
ONE_THREAD = ("env", "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1")
PACKAGES = ("numpy", "cv2", "onnxruntime", "rapidocr_onnxruntime")
START_SECONDS, ANSWER_SECONDS = 120.0, 120.0


def is_installed() -> bool:
    """Return whether the packages of the extra `sendit[pixels]` are there; none is imported."""
    return all(find_spec(package) is not None for package in PACKAGES)


class Detector:
    """One process, started on demand and again after it ended by itself; of one worker, and used by one thread."""

    def __init__(self, detector: str = DETECTOR) -> None:
        self._detector = detector
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self.ended_with = ""
        """What it was asked last, of a process that died."""

    def begin(self, said: dict[str, object]) -> Message:
        """Return the answer to an image's first message; a process that ends just then is started once more."""
        self._start()
        try:
            return self.ask(said, seconds=START_SECONDS)
        except ServiceDown:
            self._start()
            return self.ask(said, seconds=START_SECONDS)

    def _start(self) -> None:
        if self._owner != os.getpid():  # a fork has its parent's, which answers the parent
            self._process, self._owner = None, os.getpid()
        if self._process is not None and self._process.poll() is None:
            return
        command = [*ONE_THREAD, sys.executable, "-P", "-m", PROCESS, self._detector]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)

    def ask(self, said: dict[str, object], data: bytes = b"", seconds: float = ANSWER_SECONDS) -> Message:
        """Return the answer to a message.

        Raises
        ------
        ServiceDown
            DetectorDown: it died, or did not answer in time. It is ended then.
        """
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        try:
            send(process.stdin.fileno(), Message(said, data), seconds)
            return receive(process.stdout.fileno(), seconds)
        except Ended:
            self.ended_with = str(said["do"])
            self.end()
            raise ServiceDown("DetectorDown") from None

    def end(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


_SHARED = Detector()
_LOCK = threading.Lock()


@contextmanager
def shared_detector() -> Iterator[Detector]:
    """This process's detector, for one image."""
    with _LOCK:
        try:
            yield _SHARED
        except (DataFault, ServiceDown):
            raise
        except BaseException:
            _SHARED.end()  # it may be in the middle of an answer
            raise
