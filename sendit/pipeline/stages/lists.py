"""Lists of patients and accession numbers: a project's allow-list, and who opted out of it or of the whole site.

A list is a CSV file whose first line names a column PatientID or AccessionNumber, or both; case, spaces and underscores
do not matter. A file without such a line has a Patient ID on each line. It is read again when it has changed, and only
a keyed digest of each value is kept. Whoever keeps the list writes it elsewhere and renames it: a list that is half
written would let patients through.
"""

from __future__ import annotations

import csv
import os
import re
import time
from collections.abc import Callable, Iterator
from enum import Enum
from functools import lru_cache
from pathlib import Path

from sendit.errors import Misconfigured
from sendit.ground.phi_field import short_digest
from sendit.phi import Phi
from sendit.pipeline.record.models import BatchIdentifiers
from sendit.pipeline.record.studies import StudyWithdrawn
from sendit.ports import go_on
from sendit.projects.composition import Ports
from sendit.projects.site import variable

NOT_LISTED = "sendit: not in the project's list"
LOOK_SECONDS = 20.0
"""How often somebody who is at work asks again who opted out."""


class Column(Enum):
    """What a column holds, by the names that it may have."""

    PATIENT = frozenset({"patientid", "mrn"})
    ACCESSION = frozenset({"accessionnumber", "accession"})


Listed = frozenset[bytes]
"""Digests of the values of a list."""
Stamp = tuple[int, int, int]


def ensure_may_leave(ports: Ports, patient: Phi[str], accession: Phi[str]) -> None:
    """Raise StudyWithdrawn for a study of somebody who opted out. Raises Misconfigured if a list cannot be read."""
    digests = _digests(patient, accession)
    if any(digests & _listed(path, named) for path, named in opt_outs(ports)):
        raise StudyWithdrawn


def asking(patient: Phi[str], accession: Phi[str], ports: Ports) -> Callable[[], None]:
    """Return what asks the same at once, and from time to time when it is called during the work."""
    looks_at = 0.0

    def ask() -> None:
        nonlocal looks_at
        if time.monotonic() >= looks_at:
            looks_at = time.monotonic() + LOOK_SECONDS
            ensure_may_leave(ports, patient, accession)

    return ask


def asking_about(batch: int, ports: Ports) -> Callable[[], None]:
    """The same of a batch that was identified before."""
    if next(opt_outs(ports), None) is None:
        return go_on
    kept = BatchIdentifiers.objects.filter(batch=batch).only("extracted").first()
    extracted, names = (kept.extracted.reveal() if kept else None) or {}, ports.project.identity
    return asking(Phi(extracted.get(names.entity_keyword, "")), Phi(extracted.get(names.item_keyword, "")), ports)


def is_listed(ports: Ports, patient: Phi[str], accession: Phi[str]) -> bool:
    """Return whether the project's list has the study or its patient; a project without a list has all."""
    project = ports.project
    if not project.allow_list:
        return True
    return bool(_digests(patient, accession) & _listed(project.allow_list, f"{project.name}: allow_list"))


def opt_outs(ports: Ports) -> Iterator[tuple[str, str]]:
    """The lists of who opted out, each with what an error calls it."""
    lists = ((ports.site.opt_out, variable("OPT_OUT")), (ports.project.opt_out, f"{ports.project.name}: opt_out"))
    yield from ((path, named) for path, named in lists if path)


def who_opted_out(ports: Ports) -> Iterator[tuple[Column, Phi[str]]]:
    """Everybody on these lists, to be asked about and not to be kept."""
    for path, named in opt_outs(ports):
        with _Reading(named):
            for column, text in _values(Path(path)):
                yield column, Phi(text)


def _digests(patient: Phi[str], accession: Phi[str]) -> Listed:
    ids = ((Column.PATIENT, patient.reveal()), (Column.ACCESSION, accession.reveal()))
    return frozenset(_digest(column, text) for column, text in ids if _plain(column, text))


def _digest(column: Column, text: str) -> bytes:
    return short_digest(f"{column.name}\0{_plain(column, text)}".encode("utf-8", "surrogateescape"))


def _plain(column: Column, text: str) -> str:
    """An id as it is asked for."""
    return text.replace("-", "").strip() if column is Column.PATIENT else text.strip()


def _listed(path: str, named: str) -> Listed:
    with _Reading(named):
        status = os.stat(path)
        return _read(Path(path), (status.st_ino, status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=128)
def _read(path: Path, stamp: Stamp) -> Listed:
    return frozenset(_digest(column, text) for column, text in _values(path))


def _values(path: Path) -> Iterator[tuple[Column, str]]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = csv.reader(stream)
        columns: dict[int, Column] | None = None
        for row in rows:
            if not any(row) or row[0].lstrip().startswith("#"):
                continue
            if columns is None:
                columns = _columns(row)
                if columns:
                    continue
                columns = {0: Column.PATIENT}
            for place, column in columns.items():
                if place < len(row) and _plain(column, row[place]):
                    yield column, row[place]


def _columns(row: list[str]) -> dict[int, Column]:
    """The columns that a first line names; none where it is a value already."""
    words = [re.sub(r"[\s_]", "", word).lower() for word in row]
    return {place: column for place, word in enumerate(words) for column in Column if word in column.value}


class _Reading:
    """A context in which a list that cannot be read stops the work, and is named."""

    def __init__(self, named: str) -> None:
        self._named = named

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, OSError | UnicodeDecodeError | csv.Error):
            raise Misconfigured("BadSetting", subject=f"{self._named}: a file of text that can be read") from None
