"""The tables of docs/dicom.md that the code makes: each stands between two marks, and `make docs` rewrites it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from pydicom._uid_dict import UID_dictionary

from sendit.receiving.retrieving import pacs
from sendit.receiving.services.association import REQUEST_SECONDS, SOP_CLASS_NOT_SUPPORTED, UNRECOGNIZED_OPERATION
from sendit.receiving.services.commitment import ACTION_MEANINGS
from sendit.receiving.services.reporting import ANSWER_SECONDS
from sendit.receiving.services.storing import GRACE_SECONDS, LEAST_BYTES_PER_SECOND, STORE_MEANINGS
from sendit.receiving.wire import negotiation
from sendit.receiving.wire.pdus import LONGEST_ASSOCIATE_PDU, LONGEST_PDU, PDU_SECONDS
from sendit.receiving.wire.tls import CIPHERS

PAGE = Path(__file__).parent / "dicom.md"
Rows = Iterable[tuple[str, ...]]


def _name(uid: str) -> str:
    return str(UID_dictionary[uid][0])


def services() -> Rows:
    """Network services (PS3.2 section N.1.2)."""
    yield "SOP class", "UID", "user (SCU)", "provider (SCP)"
    yield _name(negotiation.VERIFICATION), negotiation.VERIFICATION, "no", "yes"
    yield "Storage, every SOP class listed below, and private ones", "", "no", "yes"
    for uid in negotiation.SERVICES[1:]:
        yield _name(uid), uid, "no", "yes"
    for uid in (pacs.FIND, pacs.MOVE, pacs.GET):
        yield _name(uid), uid, "yes", "no"


def storage_classes() -> Rows:
    yield "SOP class", "UID"
    for uid, (name, kind, _, retired, _) in sorted(UID_dictionary.items(), key=lambda entry: entry[1][0]):
        if kind == "SOP Class" and name and negotiation.is_storage(uid):
            yield f"{name}{' (retired)' if retired else ''}", uid


def transfer_syntaxes() -> Rows:
    yield "transfer syntax", "UID"
    for uid, (name, kind, _, retired, _) in UID_dictionary.items():
        if kind == "Transfer Syntax" and name and negotiation.is_readable(uid):
            yield f"{name}{' (retired)' if retired else ''}", uid


def rejections() -> Rows:
    yield "result", "source", "reason", "meaning"
    for one in negotiation.REJECTIONS:
        yield (
            f"{one.result} ({'permanent' if one.result == 1 else 'transient'})",
            str(one.source),
            str(one.reason),
            one.meaning,
        )


def store_statuses() -> Rows:
    yield "status", "meaning"
    for status, meaning in STORE_MEANINGS.items():
        yield f"{status:04X}", meaning
    yield f"{SOP_CLASS_NOT_SUPPORTED:04X}", "the presentation context is not one of storage"
    yield f"{UNRECOGNIZED_OPERATION:04X}", "the operation is not provided"


def action_statuses() -> Rows:
    yield "status", "meaning"
    for status, meaning in ACTION_MEANINGS.items():
        yield f"{status:04X}", meaning


def parameters() -> Rows:
    yield "parameter", "value"
    yield "Application Context Name", "1.2.840.10008.3.1.1.1"
    yield "Implementation Class UID", negotiation.IMPLEMENTATION_CLASS_UID
    yield "Implementation Version Name", negotiation.IMPLEMENTATION_VERSION_NAME
    yield "Maximum Length Received", f"{LONGEST_PDU:,} bytes; a longer P-DATA-TF PDU is answered with A-ABORT"
    yield "longest A-ASSOCIATE-RQ", f"{LONGEST_ASSOCIATE_PDU:,} bytes"
    yield "asynchronous operations", "none: the window is (1, 1)"
    yield "user identity, extended negotiation", "read and not answered"
    yield "time for an A-ASSOCIATE-RQ (ARTIM)", f"{REQUEST_SECONDS:.0f} seconds"
    yield "time for a PDU that has begun", f"{PDU_SECONDS:.0f} seconds"
    yield "time between PDUs", "LISTENER_IDLE_SECONDS"
    yield "slowest image", f"{LEAST_BYTES_PER_SECOND:,} bytes a second, after {GRACE_SECONDS:.0f} seconds of grace"
    yield "time for a peer to confirm a result of storage commitment", f"{ANSWER_SECONDS:.0f} seconds"
    yield "time for a PACS between two answers", f"{pacs.ANSWER_SECONDS:.0f} seconds"
    yield "TLS", f"1.2 with `{CIPHERS}`, and 1.3"


TABLES: dict[str, Callable[[], Rows]] = {
    "services": services,
    "rejections": rejections,
    "parameters": parameters,
    "store-statuses": store_statuses,
    "action-statuses": action_statuses,
    "transfer-syntaxes": transfer_syntaxes,
    "storage-classes": storage_classes,
}


def page() -> str:
    """docs/dicom.md, with its tables as the code has them."""
    text = PAGE.read_text()
    for name, rows in TABLES.items():
        before, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        assert begin and end, f"docs/dicom.md has no place for the table {name}"
        text = before + begin + _table(rows()) + end + after
    return text


def _table(rows: Rows) -> str:
    header, *body = rows
    lines = [header, ("---",) * len(header), *body]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
