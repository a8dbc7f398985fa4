"""The table of events: dotted names with allow-listed fields, for the log and for a batch's history.

A field is a number or one of sendit's own words (a code, a rule's name, a state), never a value from a study.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from sendit.errors import BrokenPromise

EVENTS: dict[str, tuple[str, ...]] = {
    # a batch's life; these are kept as rows of Event too
    "batch.found": (),
    "batch.received": ("evidence", "images"),
    "batch.queued": (),
    "batch.claimed": ("state", "attempt"),
    "batch.taken_over": ("state", "attempt"),
    "batch.lease_lost": ("state",),
    "batch.released": ("state", "reason", "seconds"),
    "batch.folder_changed": ("state", "changes"),
    "batch.folder_gone": ("state",),
    "batch.host_gone": ("state", "host"),
    "batch.folder_grew": ("state",),
    "batch.withdrawn": ("state", "reason"),
    "batch.withheld": ("images", "filtered", "in_review", "errors", "bytes", "seconds"),
    "batch.removed": ("archives",),
    "batch.removal_failed": ("code",),
    "batch.made_again": ("state", "generation", "reason"),
    "batch.screened_again": ("files", "reason"),
    "batch.nothing_new": ("images", "filtered", "in_review", "errors", "bytes", "seconds"),
    "batch.processed": (
        "images",
        "filtered",
        "in_review",
        "errors",
        "bytes",
        "seconds",
        "import_seconds",
        "identify_seconds",
        "deidentify_seconds",
        "part",
    ),
    "batch.empty": ("filtered", "in_review", "seconds"),
    "batch.failed": ("state", "code", "subject", "failure", "place"),
    "batch.delivered": ("images", "bytes", "seconds", "deliver_seconds", "part"),
    "batch.delivered_to": ("destination",),
    "batch.delivery_waits": ("destination", "code", "seconds"),
    "batch.delivery_refused": ("destination", "code", "subject"),
    "batch.delivery_given_up": ("destination",),
    "batch.retried": ("state",),
    "batch.reviewed": ("released", "rejected", "masked"),
    "batch.originals_deleted": ("files", "bytes"),
    "batch.identifiers_purged": (),
    "batch.outbox_cleaned": ("files", "bytes"),
    # the pool
    "pool.started": ("workers",),
    "pool.stopped": ("batches",),
    "worker.started": ("worker", "pid"),
    "worker.stopped": ("worker", "pid"),
    "worker.died": ("worker", "pid", "signal", "code"),
    "worker.failed": ("failure", "place"),
    "worker.blind": ("code",),
    "worker.sees": ("code",),
    # the watcher
    "watcher.started": ("pid", "folders"),
    "watcher.stopped": ("pid",),
    "watcher.died": ("pid",),
    "watcher.found": ("folders", "seconds"),
    "watcher.blind": ("code",),
    "watcher.sees": ("code",),
    "watcher.failed": ("failure", "place"),
    # the audit trail
    "audit.noted": ("number", "digest"),
    # the listener
    "listener.started": ("pid", "port", "folders"),
    "listener.stopped": ("pid",),
    "listener.died": ("pid",),
    "listener.taken_up": ("folders",),
    "listener.rejected": ("reason",),
    "listener.association": ("association", "peer", "contexts"),
    "listener.association_ended": ("association", "images", "ended"),
    "listener.refused": ("status", "code"),
    "listener.committed": ("peer", "images", "kind"),
    "listener.commitments_given_up": ("requests",),
    "listener.handed_over": ("evidence", "images"),
    "listener.blind": ("code",),
    "listener.sees": ("code",),
    "listener.failed": ("failure", "place"),
    # retrievals
    "retrieval.blind": ("code",),
    "retrieval.stopped": ("code",),
    "retrieval.ended": ("state", "studies", "expected", "received"),
    # images over HTTP
    "stow.stored": ("peer", "images", "failed"),
    "stow.refused": ("status",),
    # the web
    "web.failed": ("failure", "place"),
    # the identity service
    "identity.blind": ("code",),
    "identity.sees": ("code",),
    "identity.failed": ("failure", "place"),
}

Fields = Mapping[str, "int | float | str"]

_logger = logging.getLogger("sendit")


def checked(name: str, fields: Fields) -> Fields:
    """Return the fields, or raise BrokenPromise("UnknownEvent") if the table does not allow them."""
    if name not in EVENTS or not set(fields) <= set(EVENTS[name]):
        raise BrokenPromise("UnknownEvent", subject=name if name in EVENTS else None)
    if not all(isinstance(value, int | float | str) for value in fields.values()):
        raise BrokenPromise("UnknownEvent", subject=name)
    return fields


def in_order(name: str, fields: Fields) -> Fields:
    """Return the fields in the table's order; PostgreSQL's JSON does not keep it."""
    known = [field for field in EVENTS.get(name, ()) if field in fields]
    return {field: fields[field] for field in (*known, *(field for field in fields if field not in known))}


def log(name: str, batch: int | None = None, **fields: int | float | str) -> None:
    """Write an event to the log."""
    checked(name, fields)
    subject = {} if batch is None else {"batch": batch}
    _logger.info(name, extra={"event": name, "fields": {**subject, **fields}})
