"""Binds the site's keys to its database: a key other than the one that the data were made with is refused.

The table has a row for each key file, made by the migration and filled in when the first process starts. A row that is
filled in never changes, except that lines are added to `identifiers.key`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from django.apps import apps
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from sendit import keys
from sendit.errors import Misconfigured
from sendit.ground.phi_field import digest
from sendit.keys import KeyFile, Lines, Memory, Proofs
from sendit.pipeline.record.models import BatchIdentifiers
from sendit.pipeline.record.site_models import KeyBinding

ROWS_TRIED = 20
"""Of a database of the last release, the latest; one is enough, and some may have been purged."""


def is_settled(folder: Path, var: Path, files: frozenset[KeyFile]) -> bool:
    """Whether the keys are bound as they are. Raises Misconfigured("BadKey") where they are not those bound."""
    bound = _bound()
    if not all(bound[file] for file in files):
        return False
    found = _load(folder, files)
    _ensure_bound(found, bound)
    _remember(var, bound)
    return all(keys.proofs(file, lines) == bound[file] for file, lines in found.items())


def settle(folder: Path, var: Path, files: frozenset[KeyFile]) -> None:
    """Make the keys that may be made, and bind those that are not bound yet; one process at a time.

    Raises
    ------
    Misconfigured
        `BadKey`: a key is missing, has not the form of one, or is not the one that was bound; or the database was
        emptied.
    """
    bound = _bound()
    memory = Memory.read(var)
    if not any(bound.values()) and place(var) in memory.databases and not any(map(_has_written, KeyFile)):
        raise _emptied()
    if _is_new(folder, bound):
        memory = Memory()
        keys.make(folder)
    if keys.is_there(folder, KeyFile.PSEUDONYM):
        with suppress(OSError):  # where secrets are mounted and cannot be written, what is missing is said below
            keys.make(folder, {file for file in files if _made_later(file, bound, memory)})
    found = _load(folder, files)
    for file, lines in found.items():
        if not bound[file]:
            memory.ensure_known(file, lines)
    _ensure_bound(found, bound)
    if files == keys.ALL and not any(bound.values()):
        _ensure_they_fit()
    with transaction.atomic():  # of hosts with different keys, one binds all of its own
        for file, lines in found.items():
            _bind(file, bound[file], keys.proofs(file, lines))
        _ensure_bound(found, _bound())
    _remember(var, _bound())


def ensure_not_exchanged(folder: Path) -> None:
    """Refuse keys other than those bound, in a process that makes and binds none, and may have been given none."""
    bound = _bound()
    if keys.present(folder):
        _ensure_bound({file: keys.load(folder, file) for file, proofs in bound.items() if proofs}, bound)


def forget_place(var: Path) -> None:
    """A database that is not there is about to be made: nothing in it can have been emptied."""
    memory = Memory.read(var)
    Memory(memory.proofs, memory.databases - {place(var)}).write(var)


def place(var: Path) -> str:
    """Which database this is, in words that outlast its content but not the database itself."""
    if connection.vendor != "postgresql":
        path = Path(connection.settings_dict["NAME"])
        return f"sqlite:{path.relative_to(var) if path.is_relative_to(var) else path}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT oid FROM pg_database WHERE datname = current_database()")
        (number,) = cursor.fetchone()
    return f"postgresql:{_cluster()}:{number}"


def _cluster() -> str:
    """PostgreSQL's own number of a cluster, or blank where the server does not tell it to this user."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT system_identifier FROM pg_control_system()")
            return str(cursor.fetchone()[0])
    except ProgrammingError:
        return ""


def _bound() -> dict[KeyFile, Proofs]:
    bound = {KeyFile(row.file): tuple(row.proofs.split()) for row in KeyBinding.objects.all()}
    if set(bound) != keys.ALL:
        raise _emptied()
    return bound


def _load(folder: Path, files: frozenset[KeyFile]) -> dict[KeyFile, Lines]:
    """In the order of `KeyFile`, so that of several that are wrong the same is named each time."""
    return {file: keys.load(folder, file) for file in KeyFile if file in files}


def _emptied() -> Misconfigured:
    return Misconfigured("BadKey", subject="the database was emptied")


def _ensure_bound(found: dict[KeyFile, Lines], bound: dict[KeyFile, Proofs]) -> None:
    for file, lines in found.items():
        if bound[file]:
            keys.ensure_known(file, lines, bound[file])


def _is_new(folder: Path, bound: dict[KeyFile, Proofs]) -> bool:
    """Whether there is neither a key nor anything that was made with one."""
    return not (keys.present(folder) or any(bound.values()) or any(map(_has_written, KeyFile)))


def _made_later(file: KeyFile, bound: dict[KeyFile, Proofs], memory: Memory) -> bool:
    """Whether it may be made beside a `pseudonym.key`, of which a site may begin with a copy of another's, alone."""
    return not (bound[file] or file in memory.proofs or _has_written(file))


def _has_written(file: KeyFile) -> bool:
    """Whether the database has rows that were made with it, of the tables that each app names."""
    tables = [(app, getattr(app, "written_with", {}).get(file)) for app in apps.get_app_configs()]
    return any(app.get_model(table)._default_manager.exists() for app, table in tables if table)


def _ensure_they_fit() -> None:
    """Refuse keys that cannot have made what is in a database of the last release, which has bound none."""
    for row in BatchIdentifiers.objects.select_related("batch").order_by("-pk")[:ROWS_TRIED]:
        folder = row.folder.reveal()
        if folder and digest(os.fsencode(folder["uid"])) != row.batch.uid_digest:
            raise keys.refusal(KeyFile.DIGEST, keys.ANOTHER)


def _bind(file: KeyFile, before: Proofs, now: Proofs) -> None:
    if before != now:
        row = KeyBinding.objects.filter(file=file, proofs=" ".join(before))
        row.update(proofs=" ".join(now), bound_at=timezone.now())


def _remember(var: Path, bound: dict[KeyFile, Proofs]) -> None:
    memory = Memory.read(var)
    known = {file: found for file, found in bound.items() if found}
    Memory(known, memory.databases | {place(var)}).write(var)
