"""Private elements that are known to be safe: they stay if their value is what it should be."""

from __future__ import annotations

from sendit.deid.rewriting.actions import ActionKind, ElementAction, LatestValue
from sendit.deid.rewriting.place import DatasetPlace, ElementKey
from sendit.deid.standard.safe_private import Rewrite, SafePrivate


def action_for(safe: SafePrivate, place: DatasetPlace, key: ElementKey) -> ElementAction:
    """What is done to a private element that the table of safe elements lists."""
    if safe.is_sequence:
        return key._replace(written_vr="SQ").sequence() if key.written_vr in ("", "SQ") else key.action(ActionKind.DROP)
    if safe.is_rewritten:
        rewrite = safe.rewrite()
        return key.by_value(LatestValue(lambda raw: _rewritten(safe, rewrite, place, key, raw)))
    return key.by_value(lambda raw: None if _stays(safe, place, key.written_vr, raw) else b"")


def _rewritten(safe: SafePrivate, rewrite: Rewrite, place: DatasetPlace, key: ElementKey, raw: bytes) -> bytes | None:
    """An element that is written again with only its numbers; it is removed where none is left."""
    if not raw:
        return None
    new = rewrite(raw) if safe.has_form(key.written_vr, raw) else None
    return place.encoding.write(key.tag, key.vr, new + bytes(len(new) % 2)) if new else b""


def _stays(safe: SafePrivate, place: DatasetPlace, written_vr: str, raw: bytes) -> bool:
    if not safe.has_form(written_vr, raw):
        return False
    texts = raw.decode("ascii").strip(" \0").split("\\") if safe.is_text else ()
    return all(place.study.cleaner(None).clean(text) == text for text in texts)
