"""Events and log lines: literal names, allow-listed fields, and nobody else's voice."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import sendit
from sendit.errors import BrokenPromise
from sendit.ground import events, logs
from sendit.phi import Phi
from sendit.pipeline.record import history
from sendit.pipeline.record.models import Batch, Event
from tests.support.site import Site

SOURCES = sorted(Path(sendit.__file__).parent.rglob("*.py"))


def lines(form: str) -> list[str]:
    stream = io.StringIO()
    with logs.written_to(stream, form):
        events.log("batch.delivered", 17, images=212, bytes=10, seconds=1.3)
        events.log("batch.released", 3, reason="a b")
        logging.getLogger("sendit").warning("a stranger %s", "speaks")
    return stream.getvalue().splitlines()


def test_a_line_for_a_person() -> None:
    delivered, released, foreign = lines("text")
    assert re.fullmatch(r"\S+ batch\.delivered batch=17 images=212 bytes=10 seconds=1\.3", delivered)
    assert released.endswith('batch.released batch=3 reason="a b"')
    assert foreign.endswith("log.foreign logger=sendit")


def test_a_line_for_a_machine() -> None:
    delivered = json.loads(lines("json")[0])
    assert delivered.pop("at")
    assert delivered == {"event": "batch.delivered", "batch": 17, "images": 212, "bytes": 10, "seconds": 1.3}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("batch.lost", {}),
        ("batch.delivered", {"folder": "a"}),
        ("batch.delivered", {"images": Phi(3)}),
        ("batch.delivered", {"images": None}),
    ],
    ids=str,
)
def test_what_is_not_in_the_table_is_not_said(name: str, fields: dict[str, object]) -> None:
    with pytest.raises(BrokenPromise, match="UnknownEvent"):
        events.log(name, **fields)  # type: ignore[arg-type]


def test_every_event_in_the_table_is_said_somewhere_by_its_literal_name() -> None:
    said = "".join(path.read_text() for path in SOURCES if path.name != "events.py")
    unsaid = [name for name in events.EVENTS if f'"{name}"' not in said]
    assert not unsaid


def test_a_record_is_a_row_and_a_line(site: Site) -> None:
    batch = Batch.objects.create(folder_digest="f", uid_digest="u")
    stream = io.StringIO()
    with logs.written_to(stream, "text"):
        history.record("batch.retried", batch.pk, state="ERROR")
    row = Event.objects.get()
    assert (row.batch_id, row.name, row.fields) == (batch.pk, "batch.retried", {"state": "ERROR"})
    assert stream.getvalue().endswith(f"batch.retried batch={batch.pk} state=ERROR\n")


def test_libraries_have_no_voice_once_they_are_silenced() -> None:
    script = (
        "import logging, warnings\n"
        "from sendit.ground.logs import LOUD_LIBRARIES, silence_libraries\n"
        "silence_libraries()\n"
        "warnings.warn('Zqcanary')\n"
        "for name in (*LOUD_LIBRARIES, 'pydicom.misc', 'django.db.backends'):\n"
        "    logging.getLogger(name).error('Zqcanary')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_this_process_still_hears_warnings() -> None:
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", UserWarning, stacklevel=1)
