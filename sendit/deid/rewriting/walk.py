"""The walk over one dataset: the elements go in one after the other, the pieces of the rewritten dataset come out."""

# How it works.
#
# A walk keeps `copied`, the position up to which its buffer has been dealt with. An element that stays costs nothing
# but a step forward; only where one changes are the bytes from `copied` up to it put out as one piece, then what it
# became, and `copied` moves behind it. So a header in which nothing changes is one piece.
#
# What to do is looked up by the element's encoded key, tag and VR as they are written: `plan.actions[key]`. There are
# two loops, one for items here and one for the root in `rewrite`, because only the root is read in windows, passes bulk
# data on as a range of the file, and has shared runs. Both treat the commonest elements themselves (no action, a cached
# value) and hand all others to `treat`, which finds the handler of the action's kind in HANDLERS.
#
# Tags must ascend (PS3.5 7.1), because elements that rules add are put out between their neighbours, and because a
# second element of the same tag would otherwise escape rules that look at the first. A dataset whose tags do not is put
# in order first and walked again.
from __future__ import annotations

import struct
from collections.abc import Callable

from sendit.deid.budget import ELEMENT, ITEM
from sendit.deid.rewriting.actions import ActionKind, ElementAction, ImageAtHand, repair
from sendit.deid.rewriting.distinct_names import NAMED, told_apart
from sendit.deid.rewriting.plan import NO_TAG, DatasetPlan
from sendit.deid.rewriting.private_blocks import Creators, PrivateCreator
from sendit.deid.standard.text_in_bytes import BEGINNING
from sendit.deid.stream.elements import DEPTH_LIMIT, ITEM_BEGINS, element_end, item_at
from sendit.deid.stream.encodings import UNDEFINED, Encoding, encoding_inside, long_length
from sendit.deid.stream.ordering import sequence_in_order
from sendit.deid.stream.repairs import RepairKind
from sendit.deid.stream.sources import Bulk
from sendit.deid.stream.tags import ITEM_END, SEQUENCE_END, creator_of
from sendit.deid.stream.values import defined_terms
from sendit.errors import DataFault

Piece = bytes | Bulk | PrivateCreator
"""A part of the rewritten dataset; of a Private Creator it is not known yet whether it stays."""

CREATOR_BYTES = 64
"""The longest value of a Private Creator, whose VR is LO (PS3.5 6.2)."""

DROP, VALUE, PRIVATE = ActionKind.DROP, ActionKind.VALUE, ActionKind.PRIVATE
CREATOR, END = ActionKind.CREATOR, ActionKind.END


class ItemDisorder(Exception):
    """A tag in an item is not above the one before it."""


class DatasetWalk:
    """The walk over one dataset, and what it has put out.

    Parameters
    ----------
    plan : DatasetPlan
    image : ImageAtHand
        The recipe's functions get it.
    done : list of ElementAction
        What changed, removed or added an element is appended here, once for each.
    depth : int
        How many sequences are around the dataset.

    Attributes
    ----------
    buf, end, copied
        The bytes that are walked, where they end, and up to where they have been dealt with.
    out : list
        The pieces so far.
    creators : dict
        The dataset's Private Creators.
    changed : bool
        Whether anything in it differs from its bytes.
    next_added : int
        The tag of the next element that a rule adds; NO_TAG behind the last.
    """

    __slots__ = (
        "_added", "_additions", "buf", "changed", "copied", "creators", "depth", "done", "end", "image",
        "next_added", "out", "plan",
    )  # fmt: skip

    def __init__(self, plan: DatasetPlan, image: ImageAtHand, done: list[ElementAction], depth: int = 0) -> None:
        self.plan, self.image, self.done, self.depth = plan, image, done, depth
        self.buf, self.end, self.copied = b"", 0, 0
        self.out: list[Piece] = []
        self.creators: Creators = {}
        self.changed = False
        self._additions, self._added = plan.additions(), 0
        self.next_added = self._additions[0].tag

    # ------------------------------------------------------------------------------------------ putting out

    def copy_to(self, pos: int) -> None:
        """Put out the bytes up to `pos` as they are."""
        if self.copied < pos:
            self.out.append(self.buf[self.copied : pos])
        self.copied = pos

    def replace(self, start: int, new: bytes, after: int) -> None:
        """Put out `new` in place of the element that stands from `start` to `after`."""
        if self.copied < start:
            self.out.append(self.buf[self.copied : start])
        if new:
            self.out.append(new)
        self.copied = after
        self.changed = True

    def add_before(self, tag: int, pos: int) -> int:
        """Put out the elements that rules add before the element `tag` at `pos`; returns the tag of the next one."""
        self.copy_to(pos)
        self.add_below(tag)
        return self.next_added

    def add_below(self, tag: int) -> None:
        """Put out the elements that rules add below `tag`; one of that tag itself is present, so it is not added."""
        while self.next_added <= tag and self.next_added < NO_TAG:
            added = self._additions[self._added]
            if added.tag < tag and added.encoded:
                self.out.append(added.encoded)
                self.done.append(added.action)
                self.changed = True
            self._added += 1
            self.next_added = self._additions[self._added].tag

    def pass_additions(self, count: int) -> None:
        """Pass over the additions up to the `count`th."""
        self._added = count
        self.next_added = self._additions[count].tag

    def switch(self, plan: DatasetPlan) -> None:
        """Go on with the plan for another character set; it adds the same tags."""
        self.plan, self._additions = plan, plan.additions()

    def pieces(self) -> list[bytes | Bulk]:
        """What was put out, each Private Creator only if an element of its block was."""
        if not self.creators:
            return self.out  # type: ignore[return-value]
        return [
            piece.encoded if type(piece) is PrivateCreator else piece  # type: ignore[misc]
            for piece in self.out
            if type(piece) is not PrivateCreator or piece.used
        ]

    # ------------------------------------------------------------------------------------------ single elements

    def treat(self, action: ElementAction, start: int, value: int, size: int) -> int:
        """Do what is to be done to an element whose value has `size` bytes from `value`; returns where it ends."""
        found = self.own_action(action, size)
        if found is None:
            return value + size
        if size != UNDEFINED and value + size > self.end:
            raise DataFault("Truncated", tag=found.tag)
        return HANDLERS[found.kind](self, found, start, value, size)

    def own_action(self, action: ElementAction, size: int) -> ElementAction | None:
        """The action itself; for a private element, the one that its block's Private Creator decides about."""
        if action.kind is CREATOR and size > CREATOR_BYTES:
            raise DataFault("BadElement", tag=action.tag)
        if action.kind is not PRIVATE:
            return action
        creator = self.creators.get(creator_of(action.tag))
        found = self.plan.private(action.tag, action.vr, action.long, creator.name if creator else None)
        if creator is not None and (found is None or found.kind is not DROP):
            creator.used = True
        return found

    def _end_of(self, action: ElementAction, start: int, value: int, size: int) -> int:
        """Where an element ends that is not a sequence; one of undefined length must be of a VR that may have it."""
        if size != UNDEFINED:
            return value + size
        self._ensure_undefined_length(action)
        return element_end(self.buf, start, self.end, self.plan.encoding, self.depth)

    def _ensure_undefined_length(self, action: ElementAction) -> None:
        if not self.plan.encoding.implicit and not (action.long and action.vr in ("SQ", "UN", "OB", "OW")):
            raise DataFault("BadElement", tag=action.tag)

    def copy(self, action: ElementAction, start: int, value: int, size: int) -> int:
        """Pass over an element that stays."""
        return self._end_of(action, start, value, size)

    def copy_bytes(self, action: ElementAction, start: int, value: int, size: int) -> int:
        """Pass over bytes that stay; those that are a text do not."""
        return self._become(action, start, self._end_of(action, start, value, size), value, BEGINNING)

    def drop(self, action: ElementAction, start: int, value: int, size: int) -> int:
        """Remove an element."""
        after = self._end_of(action, start, value, size)
        self.replace(start, b"", after)
        self.done.append(action)
        return after

    def change(self, action: ElementAction, start: int, value: int, size: int) -> int:
        """Replace an element by what its value becomes."""
        after = self._end_of(action, start, value, size)
        return self._become(action, start, after, value, after - value)

    def _become(self, action: ElementAction, start: int, after: int, value: int, seen: int) -> int:
        """Replace an element by what the first bytes of its value say that it becomes."""
        encoded = self.buf[value : min(value + seen, after)]
        cache, call = action.cache, action.call
        new = cache[encoded] if cache is not None else call(encoded, self.image)  # type: ignore[misc]
        if new is not None:
            self.replace(start, new, after)
            self.done.append(action if new else action.removal)
        return after

    def charset(self, action: ElementAction, start: int, value: int, size: int) -> int:
        """Read what follows in another character set."""
        after = self._end_of(action, start, value, size)
        raw = self.buf[value:after]
        self.switch(self.plan.with_charset(raw))
        if (terms := defined_terms(raw)) != raw:
            self.replace(start, self.plan.encoding.write(action.tag, "CS", terms), after)
            self.done.append(repair(action.path, action.tag, RepairKind.CHARSET))
        return after

    def creator(self, action: ElementAction, start: int, value: int, size: int) -> int:
        """Note a Private Creator; it is written if an element of its block is."""
        after = value + size
        name = self.buf[value:after].decode("latin-1").strip(" \0")
        self.copy_to(start)
        self.creators[action.tag] = creator = PrivateCreator(action.tag, self.buf[start:after], name)
        self.out.append(creator)
        self.copied = after
        self.changed = True
        return after

    # ------------------------------------------------------------------------------------------ sequences

    def sequence(self, action: ElementAction, start: int, value: int, size: int) -> int:
        """Rewrite the items of a sequence (PS3.5 7.5), or of an element of unknown VR that looks like one."""
        if size == UNDEFINED:
            self._ensure_undefined_length(action)
        if self.depth >= DEPTH_LIMIT:
            raise DataFault("TooDeep", tag=action.tag)
        self.plan.study.budget.enter(action.tag, self.depth, min(size, self.end - value))
        limit = self.end if size == UNDEFINED else value + size
        if action.vr == "UN" and size != UNDEFINED and self.buf[value : value + 4] != ITEM_BEGINS:
            return limit
        items, after = self._rewritten_items(action, start, value, limit, delimited=size == UNDEFINED)
        if items is None:
            return after
        if action.tag in NAMED:
            items = [told_apart(self.plan, action, self.buf[value:after], b"".join(items))]
        if size != UNDEFINED:
            items.insert(0, self.plan.encoding.begin(action.tag, action.vr, sum(map(len, items))))
        else:
            items.insert(0, self.buf[start:value])
            items.append(encoding_inside(action.vr, self.plan.encoding).mark(SEQUENCE_END))
        self.replace(start, b"".join(items), after)
        return after

    def _rewritten_items(
        self, action: ElementAction, start: int, value: int, limit: int, *, delimited: bool
    ) -> tuple[list[bytes] | None, int]:
        """The items' new bytes, None if all stay as they are, and where the sequence ends.

        Only the outermost sequence is put in order, as a whole, so that no element is walked more than twice.
        """
        encoding = encoding_inside(action.vr, self.plan.encoding)
        items, done = Items(self, action.tag, encoding, delimited), len(self.done)
        try:
            return items.rewritten(self.buf, value, limit)
        except ItemDisorder:
            if self.depth:
                raise
        del self.done[done:]
        ordered = sequence_in_order(self.buf, start, limit, self.plan.encoding)[value - start :]
        try:
            new, _ = items.rewritten(ordered, 0, len(ordered))
        except ItemDisorder:  # the order changed what is read, so it cannot be understood
            raise DataFault("BadSequence", tag=action.tag) from None
        return [ordered[: -8 if delimited else None]] if new is None else new, value + len(ordered)


HANDLERS: dict[ActionKind, Callable[[DatasetWalk, ElementAction, int, int, int], int]] = {
    ActionKind.DROP: DatasetWalk.drop,
    ActionKind.VALUE: DatasetWalk.change,
    ActionKind.COPY: DatasetWalk.copy,
    ActionKind.BYTES: DatasetWalk.copy_bytes,
    ActionKind.SEQUENCE: DatasetWalk.sequence,
    ActionKind.CALL: DatasetWalk.change,
    ActionKind.CHARSET: DatasetWalk.charset,
    ActionKind.CREATOR: DatasetWalk.creator,
}
"""How each kind of action is carried out. The other kinds never come here: a loop deals with them, or PRIVATE is
resolved to one of these."""


class Items:
    """The items of one sequence.

    Parameters
    ----------
    parent : DatasetWalk
        The dataset that has the sequence.
    tag : int
    encoding : Encoding
        The items' encoding.
    delimited : bool
        Whether a delimiter ends the sequence.
    """

    __slots__ = ("_delimited", "_encoding", "_parent", "_tag")

    def __init__(self, parent: DatasetWalk, tag: int, encoding: Encoding, delimited: bool) -> None:
        self._parent, self._tag, self._encoding, self._delimited = parent, tag, encoding, delimited

    def rewritten(self, buf: bytes, pos: int, end: int) -> tuple[list[bytes] | None, int]:
        """The new bytes of the items from `pos`, None if all stay as they are; and where the sequence ends."""
        plan, encoding, delimited = self._parent.plan, self._encoding, self._delimited
        out: list[bytes] = []
        index, changed, indexed = 0, False, plan.study.uses_indices
        while delimited or pos < end:
            bounds = item_at(buf, pos, end, encoding, delimited=delimited, sequence=self._tag)
            if bounds is None:
                return out if changed else None, pos + 8
            begin, stop, is_delimited = bounds
            item_plan = plan.child(self._tag, index if indexed else None, encoding)
            if item_plan.cleans:
                item_plan = item_plan.of_item(buf, begin, stop)
            item = ItemWalk(item_plan, self._parent.image, self._parent.done, self._parent.depth + 1)
            after = item.walk(buf, begin, stop, delimited=is_delimited)
            changed = changed or item.changed
            out.append(encoding.item(item.joined(), delimited=is_delimited) if item.changed else buf[pos:after])
            pos, index = after, index + 1
        return out if changed else None, pos


class ItemWalk(DatasetWalk):
    """The walk over an item, which is held in memory as a whole."""

    __slots__ = ()

    def joined(self) -> bytes:
        """The item's new bytes; an item holds no bulk data."""
        return b"".join(piece for piece in self.pieces() if isinstance(piece, bytes))

    def walk(self, buf: bytes, begin: int, end: int, *, delimited: bool) -> int:
        """Walk the item whose elements begin at `begin`; returns where it ends, its delimiter included."""
        self.buf, self.end, self.copied = buf, end, begin
        after = self._walk(begin)
        ended = buf[after - 8 : after - 4] == self.plan.encoding.mark(ITEM_END)[:4] if delimited else after == end
        if not ended:
            raise DataFault("Truncated" if delimited else "BadSequence")
        self.add_below(NO_TAG)
        return after

    def _walk(self, pos: int) -> int:
        """Walk the elements from `pos`; returns the end of the range, or the position behind the item's delimiter."""
        plan, buf, end, done, last, cost = self.plan, self.buf, self.end, self.done, -1, ITEM
        actions, head, order, next_added = plan.actions, plan.head, plan.encoding.order, self.next_added
        while pos < end:
            cost += ELEMENT
            try:
                key, size = head(buf, pos)
            except struct.error:
                break
            tag, action = actions[key]
            if not last < tag < next_added:
                if tag <= last:
                    raise ItemDisorder
                if action is None or action.kind is not END:
                    next_added = self.add_before(tag, pos)
            last = tag
            if action is None:  # in short form, and no rule touches it: the commonest case
                pos += 8 + size
                continue
            value = pos + 8
            if action.long:
                value = pos + 12
                if value > end:
                    break
                size = long_length(buf, pos + 8, order)
            kind, after = action.kind, value + size
            if after <= end and (kind is VALUE or kind is DROP):  # an undefined length is far beyond the end
                new = action.cache[buf[value:after]] if kind is VALUE else b""  # type: ignore[index]
                if new is not None:
                    self.replace(pos, new, after)
                    done.append(action if new else action.removal)
                pos = after
            elif kind is END:
                plan.study.budget.spend(cost)
                return self._delimited_at(tag, pos)
            else:
                pos = self.treat(action, pos, value, size)
                actions = self.plan.actions  # those of another character set, perhaps
        plan.study.budget.spend(cost)
        if pos != end:
            raise DataFault("Truncated", tag=last if last >= 0 else None)
        self.copy_to(end)
        return end

    def _delimited_at(self, tag: int, pos: int) -> int:
        if tag == SEQUENCE_END or self.buf[pos + 4 : pos + 8] != bytes(4):
            raise DataFault("BadSequence")
        self.copy_to(pos)
        return pos + 8
