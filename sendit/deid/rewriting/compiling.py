"""What is done to the elements of one key: the recipe's decision, compiled to an action of the rewriting loops."""

# An element's first image is dear: its rules are looked up, its form, its Type, the judge of its content. All of that
# depends on the key and the place alone, so it happens here, once, and what is left for each image is a look-up by the
# encoded key, and for some a look-up by the value.
#
# Who decides, in this order:
#   1. structure: delimiters, group lengths, padding, keys that no dataset may hold;
#   2. for a private element, its block's Private Creator: only with its name are the rules asked (`PRIVATE`);
#   3. the table of safe private elements, where the profile keeps private elements;
#   4. the concept of a content item, unless a rule keeps the value;
#   5. no rule, or KEEP: the form that the attribute's values have, and what may stay of texts;
#   6. the rules.

from __future__ import annotations

from sendit.deid.recipe.rules import SPECIFIC_CHARACTER_SET, Action, Decision
from sendit.deid.rewriting import content_items, private_values
from sendit.deid.rewriting.action_chain import ActionChain, leave_nothing
from sendit.deid.rewriting.actions import FORM, ActionKind, ElementAction, LatestValue, ValueCache
from sendit.deid.rewriting.attribute import Attribute
from sendit.deid.rewriting.kept import judges_content, kept_cache, stand_in_of_bytes
from sendit.deid.rewriting.place import DatasetPlace, ElementKey
from sendit.deid.standard.safe_private import SafePrivate, known_as_safe
from sendit.deid.standard.text_in_bytes import reads_as_text
from sendit.deid.stream import values
from sendit.deid.stream.tags import ITEM_END, PIXEL_DATA, PIXEL_DATA_TAGS, SEQUENCE_END, TRAILING_PADDING, effective_vr
from sendit.deid.vendors.icc import without_texts
from sendit.deid.vendors.places import places_slices
from sendit.errors import DataFault

ICC_PROFILE = 0x00282000


def compiled(place: DatasetPlace, key: bytes) -> tuple[int, ElementAction | None]:
    """The tag of an encoded key and what is done to its elements.

    Raises
    ------
    DataFault
        BadElement: no dataset may hold an element of that key.
    """
    tag = place.encoding.tag(key)
    if tag in (ITEM_END, SEQUENCE_END):
        return tag, ElementAction(ActionKind.END, tag, "", long=False)
    vr = "" if place.encoding.implicit else key[4:6].decode("latin-1")
    group = tag >> 16
    if group in (0x0000, 0x0002, 0xFFFE) or (vr and vr not in values.VRS):
        raise DataFault("BadElement", tag=tag)
    long = vr in values.LONG_VRS
    if tag & 0xFFFF == 0 or tag == TRAILING_PADDING:
        return tag, ElementAction(ActionKind.DROP, tag, vr or "UL", long)
    if group & 1:
        place.study.places_slices = place.study.places_slices or places_slices(tag)
        return tag, _of_private_group(place, tag, vr, long)
    return tag, action_of(place, tag, vr, long, None)


def _of_private_group(place: DatasetPlace, tag: int, vr: str, long: bool) -> ElementAction:
    if place.study.removes_all_private:
        return _named(place, ElementAction(ActionKind.DROP, tag, vr or "UN", long), Action.REMOVE)
    if not 0x10 <= tag & 0xFFFF <= 0xFF:
        return ElementAction(ActionKind.PRIVATE, tag, vr, long)
    if vr not in ("", "UN", *values.TEXT_VRS):  # a Private Creator is passed on as it is
        raise DataFault("BadElement", tag=tag)
    return ElementAction(ActionKind.CREATOR, tag, vr, long)


def action_of(place: DatasetPlace, tag: int, written_vr: str, long: bool, creator: str | None) -> ElementAction | None:
    """What is done to the elements of one tag, VR and Private Creator; None if in short form and never changed."""
    vr = effective_vr(tag, written_vr)
    if (written_vr == "SQ") != (vr == "SQ") and written_vr not in ("", "UN"):
        raise DataFault("BadElement", tag=tag)
    key, decision = ElementKey(tag, vr, written_vr, long), place.decide(tag, vr, creator)
    safe = _safe_private(decision, tag, creator)
    if safe is not None:
        return _named(place, private_values.action_for(safe, place, key), Action.KEEP)
    if place.concept is not None and not decision.kept:
        action = content_items.action_for(place.concept, place, key)
        if action is not None:
            return _named(place, action, Action.CLEAN)
    if decision.kept or not decision.steps:
        cache = kept_cache(Attribute(place, tag, vr), decision, written_vr)
        return _untouched(place, key, decision) if cache is None else _named(place, key.by_value(cache), FORM)
    return _named(place, _ruled(place, decision, key), decision.steps[-1].action)


def _safe_private(decision: Decision, tag: int, creator: str | None) -> SafePrivate | None:
    """The entry of the table of safe private elements, where the profile keeps the element by it."""
    kept_by_profile = decision.kept and decision.rule is not None and decision.rule.of_profile
    return known_as_safe(creator, tag) if creator is not None and kept_by_profile else None


def _named(place: DatasetPlace, action: ElementAction, word: str) -> ElementAction:
    """The action with what the account calls it."""
    action.path, action.action = place.path, str(word)
    if action.cache is not None:
        action.cache.remembers = place.study.remembers_value
    return action


def _ruled(place: DatasetPlace, decision: Decision, key: ElementKey) -> ElementAction:
    """What rules do to an element."""
    if leave_nothing(decision.steps):
        return key.action(ActionKind.DROP)
    chain = ActionChain(place, key.tag, key.vr, decision.steps, key.written_vr)
    if key.vr == "SQ":
        if chain.codes:
            return key.by_value(chain.element)
        return _emptied(place, key) if chain.blanks else key.sequence()
    if key.vr == "UI" and chain.is_pseudonym:
        return key.by_value(chain.pseudonymous)
    return key.call(chain.element) if chain.calls else key.by_value(chain.element)


def _emptied(place: DatasetPlace, key: ElementKey) -> ElementAction:
    empty = place.encoding.write(key.tag, "SQ", b"")
    return key.by_value(lambda value: empty if value else None)


def _untouched(place: DatasetPlace, key: ElementKey, decision: Decision) -> ElementAction | None:
    """The action of an element that no rule changes, and whose values may be anything."""
    if key.tag == SPECIFIC_CHARACTER_SET:
        if key.written_vr not in ("", "CS", "UN"):  # others would read it as numbers, and then nothing of the file
            raise DataFault("BadElement", tag=key.tag)
        return key.action(ActionKind.CHARSET)
    if key.vr == "SQ":
        return key.sequence()
    if key.tag in PIXEL_DATA_TAGS and not place.path:
        return key.action(ActionKind.BULK)
    if key.vr == "UN":
        return key._replace(written_vr="UN").sequence()
    if (
        key.vr in values.BYTES_VRS
        and key.tag != PIXEL_DATA
        and judges_content(Attribute(place, key.tag, key.vr), decision)
    ):
        return _named(place, _of_bytes(place, key), FORM)
    return key.action(ActionKind.COPY) if key.long else None


def _profile(place: DatasetPlace, key: ElementKey, raw: bytes, instead: bytes) -> bytes | None:
    new = without_texts(raw)
    new += bytes(len(new) % 2)
    return None if new == raw or not raw else place.encoding.write(key.tag, key.vr, new) if new else instead


def _of_bytes(place: DatasetPlace, key: ElementKey) -> ElementAction:
    """Bytes stay unless they are a text; of an ICC profile stays what colours need."""
    instead = stand_in_of_bytes(place, key.tag, key.vr)
    if key.tag == ICC_PROFILE:
        return key.by_value(LatestValue(lambda raw: _profile(place, key, raw, instead)))
    action = key.action(ActionKind.BYTES)
    action.cache = ValueCache(lambda beginning: instead if reads_as_text(beginning) else None)
    return action
