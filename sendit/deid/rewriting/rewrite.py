"""The rewriting of one file's dataset: bytes in, the pieces of the new dataset out.

An element that no rule touches is copied as the bytes it came in; bulk data is passed on as a range of the source.
"""

# The root dataset is read in windows, because most of a file is pixel data that is never held. A window that ends
# within an element is tried again, larger, and what the attempt put out is taken back.
# Behind each bulk value a new window begins. Whatever follows the pixel data and cannot be read is no part of the
# dataset: scanners pad files.

from __future__ import annotations

import struct
from typing import Any

from sendit.deid.budget import HEADER_BYTES
from sendit.deid.rewriting.actions import ActionKind, ElementAction, ImageAtHand
from sendit.deid.rewriting.plan import NO_TAG, DatasetPlan
from sendit.deid.rewriting.private_blocks import Creators, PrivateCreator, are_in
from sendit.deid.rewriting.shared_runs import Rewritten, SharedRun, Trace
from sendit.deid.rewriting.walk import END, HANDLERS, VALUE, DatasetWalk
from sendit.deid.standard.text_in_bytes import BEGINNING
from sendit.deid.stream.encodings import UNDEFINED, encoding_inside, long_length
from sendit.deid.stream.ordering import in_order
from sendit.deid.stream.sources import HEADER_LIMIT, WINDOW, Bulk, BytesSource, Source, larger
from sendit.deid.stream.streaming import fragments_end, sequence_end
from sendit.deid.stream.tags import PIXEL_DATA_TAGS, creator_of
from sendit.deid.stream.values import BYTES_VRS
from sendit.errors import DataFault

STREAMED_FROM = 1024 * 1024
"""Bytes of a window from which on a sequence that goes and passes it is not held."""
BULK_BYTES = 64 * 1024
"""A value of bytes at the root that passes the window is streamed, not held, from this length on."""

DROP, COPY, BULK, BYTES = ActionKind.DROP, ActionKind.COPY, ActionKind.BULK, ActionKind.BYTES


class NoImage:
    """Stands where no image is at hand; only for recipes without functions."""

    def dataset(self) -> Any:
        raise LookupError


class Incomplete(Exception):
    """The window ends within an element."""


class Disorder(Exception):
    """A tag at the root is not above the one before it."""


Checkpoint = tuple[int, int, int, Creators, DatasetPlan]


class RootWalk(DatasetWalk):
    """The walk over a file's dataset, window by window.

    Attributes
    ----------
    last : int
        The tag of the last element that was dealt with.
    ahead : int
        How many bytes the next window needs beyond the usual, for an element that this one did not hold.
    trace : list, optional
        The elements that were walked, where the image is learned from.
    """

    __slots__ = ("_base", "_first_plan", "_source", "ahead", "last", "trace")

    def __init__(self, plan: DatasetPlan, image: ImageAtHand, done: list[ElementAction], source: Source) -> None:
        DatasetWalk.__init__(self, plan, image, done)
        self._source, self._first_plan, self.last = source, plan, -1
        self.trace: Trace | None = None

    def checkpoint(self) -> Checkpoint | None:
        """The state to go back to where a window turns out to be too small; None before the first window."""
        if self.last < 0:
            return None
        return len(self.out), len(self.done), self._added, dict(self.creators), self.plan

    def go_back(self, checkpoint: Checkpoint | None) -> None:
        """Take back what was put out since then."""
        self.buf = b""  # the next window is larger, and both need not be held
        pieces, done, added, self.creators, plan = checkpoint or (0, 0, 0, {}, self._first_plan)
        del self.out[pieces:], self.done[done:]
        super().switch(plan)
        self.pass_additions(added)

    def walk(self, window: bytes, pos: int, base: int) -> int:
        """Walk the elements from `pos` of a window at the offset `base`; returns the offset to go on from."""
        self.buf, self.end, self.copied, self._base, self.ahead = window, len(window), pos, base, 0
        buf, end, done, trace, last = window, self.end, self.done, self.trace, self.last
        head, order, actions, next_added = self.plan.head, self.plan.encoding.order, self.plan.actions, self.next_added
        while pos < end:
            try:
                key, size = head(buf, pos)
            except struct.error:
                break
            tag, action = actions[key]
            if not last < tag < next_added:
                self._ensure_ascending(tag, last)
                next_added = self.add_before(tag, pos)
            if trace is not None:
                trace.append((key, pos))
            if action is None:  # in short form, and no rule touches it: the commonest case
                pos += 8 + size
                last = tag
                continue
            if type(action) is SharedRun:
                if buf.startswith(action.source, pos) and (not action.blocks or are_in(action.blocks, self.creators)):
                    pos, last = self._take(action, pos), action.last
                    next_added = self.next_added
                else:
                    self._give_up(action, key)
                continue
            last = tag
            kind, value = action.kind, pos + 8
            if action.long:
                value = pos + 12
                if value > end:
                    break
                size = long_length(buf, pos + 8, order)
            after = value + size
            if kind is BULK:
                pos = end = self._pass_on(action, pos, value, size)
                break
            if after <= end and (kind is VALUE or kind is DROP):  # an undefined length is far beyond the end
                new = action.cache[buf[value:after]] if kind is VALUE else b""  # type: ignore[index]
                if new is not None:
                    self.replace(pos, new, after)
                    done.append(action if new else action.removal)
                pos = after
                continue
            pos = self.treat(action, pos, value, size)
            actions, end = self.plan.actions, self.end
        if pos != end:
            self._ensure_complete(pos, last)
        self.copy_to(pos)
        self.last = last - 1 if self.ahead else last
        return base + pos

    def _ensure_ascending(self, tag: int, last: int) -> None:
        if tag <= last:
            raise Disorder

    def _ensure_complete(self, pos: int, last: int) -> None:
        """Raise what is wrong where the last element passes the window."""
        if pos > self.end and self._base + pos > self._source.size:
            raise DataFault("Truncated", tag=last)
        raise Incomplete

    # ------------------------------------------------------------------------------------------ shared runs

    def _take(self, run: SharedRun, pos: int) -> int:
        """Put out what a run becomes; returns where it ends."""
        if self.copied < pos:
            self.out.append(self.buf[self.copied : pos])
        if run.encoded:
            self.out.append(run.encoded)
        elif run.pieces:
            self._put_pieces(run)
        self.done.append(run)
        if run.last >= self.next_added:
            self.pass_additions(run.additions)
        self.copied = after = pos + len(run.source)
        return after

    def _put_pieces(self, run: SharedRun) -> None:
        for piece in run.pieces:
            if isinstance(piece, PrivateCreator):
                self.creators[piece.tag] = piece = piece.unused()
            self.out.append(piece)
        self.creators.update(run.used)

    def _give_up(self, run: SharedRun, key: bytes) -> None:
        """Forget a run that was not met, so that its first element is looked up again."""
        self.plan.actions[key] = (run.tag, run.fallback)
        if self.plan.memory is not None:
            self.plan.memory.failed = True
        if self.trace:
            self.trace.pop()

    def switch(self, plan: DatasetPlan) -> None:
        super().switch(plan)
        if self.trace is not None:
            self.trace.clear()  # runs belong to the plan of one character set

    # ------------------------------------------------------------------------------------------ elements and windows

    def treat(self, action: ElementAction, start: int, value: int, size: int) -> int:
        if action.kind is END:
            raise DataFault("BadSequence")
        found = self.own_action(action, size)
        if found is None:
            return value + size
        if size != UNDEFINED and value + size > self.end:
            return self._beyond(found, start, value, value + size)
        try:
            return HANDLERS[found.kind](self, found, start, value, size)
        except DataFault as fault:
            if fault.code != "Truncated":
                raise
            # A sequence of undefined length may merely pass the window.
            if found.kind is DROP and self.end >= STREAMED_FROM:
                return self._drop_unread(found, start, value)
            raise Incomplete from None

    def _drop_unread(self, action: ElementAction, start: int, value: int) -> int:
        """Drop a long sequence without holding it."""
        inside = encoding_inside(action.vr, self.plan.encoding)
        after = sequence_end(self._source, self._base + value, inside) - self._base
        self.done.append(action)
        self.copy_to(start)
        self.copied = self.end = after
        return after

    def _beyond(self, action: ElementAction, start: int, value: int, after: int) -> int:
        """Deal with an element that passes the window: without reading on, if its value need not be seen."""
        if self._base + after > self._source.size:
            raise DataFault("Truncated", tag=action.tag)
        kind, length = action.kind, after - value
        if kind is VALUE and start and action.tag - 1 not in PIXEL_DATA_TAGS:
            self._end_before(action, start, after)
            return start
        if kind is DROP:
            return self._put_instead(action, b"", start, after)
        if kind not in (COPY, BYTES) or length < BULK_BYTES or action.vr not in BYTES_VRS:
            raise Incomplete
        new = action.cache[self._source.read(self._base + value, BEGINNING)] if action.cache is not None else None
        return (
            self._pass_on(action, start, value, length) if new is None else self._put_instead(action, new, start, after)
        )

    def _put_instead(self, action: ElementAction, new: bytes, start: int, after: int) -> int:
        """Put out `new` for an element that passes the window, and end the window behind it."""
        self.replace(start, new, after)
        self.done.append(action if new else action.removal)
        self.end = after
        return after

    def _end_before(self, action: ElementAction, start: int, after: int) -> None:
        """End the window here, so that the next one begins with the element and holds it."""
        self.copy_to(start)
        self.end, self.ahead = start, after - start
        if self.trace is not None:
            self.trace.pop()

    def _pass_on(self, action: ElementAction, start: int, value: int, size: int) -> int:
        """Put out a value as a range of the source, and end the window behind it."""
        after = value + size
        if size == UNDEFINED:
            after = fragments_end(self._source, self._base + value, self.plan.encoding) - self._base
        elif self._base + after > self._source.size:
            raise DataFault("Truncated", tag=action.tag)
        self.copy_to(start)
        self.out.append(Bulk(action.tag, self.buf[start:value], self._base + value, after - value))
        self.copied = self.end = after
        return after


class Rewriter:
    """Rewrites one file's dataset.

    Parameters
    ----------
    source : Source
    image : ImageAtHand
        The functions of the recipe get it.

    Attributes
    ----------
    done : list of ElementAction
        What changed, removed or added an element, once for each.
    """

    __slots__ = ("_image", "_source", "done")

    def __init__(self, source: Source, image: ImageAtHand) -> None:
        self._source, self._image = source, image
        self.done: list[ElementAction] = []

    def root(self, plan: DatasetPlan, start: int, window: bytes = b"") -> list[bytes | Bulk]:
        """The pieces of the dataset that begins at `start`; a dataset whose tags do not ascend is put in order first.

        `window` is the source's beginning, where it has been read already.
        """
        try:
            return self._root(plan, start, window)
        except Disorder:
            return self._ordered_root(plan, start)

    def _ordered_root(self, plan: DatasetPlan, start: int) -> list[bytes | Bulk]:
        if self._source.size - start > HEADER_LIMIT:
            raise DataFault("TooLarge")
        data = self._source.read(start, self._source.size - start)
        ordered = BytesSource(in_order(data, plan.encoding))
        try:
            rewriter = Rewriter(ordered, self._image)
            pieces = rewriter._root(plan, 0)
            self.done = rewriter.done
        except Disorder:
            raise DataFault("BadElement") from None
        return [_in_memory(piece, ordered) if isinstance(piece, Bulk) else piece for piece in pieces]

    def _root(self, plan: DatasetPlan, offset: int, window: bytes = b"") -> list[bytes | Bulk]:
        walk, size, base = RootWalk(plan, self._image, self.done, self._source), WINDOW, 0
        while offset < self._source.size:
            if not window:
                base, window = offset, self._source.read(offset, size)
            if offset - base >= len(window):  # the file has become shorter since it was opened
                raise DataFault("Truncated")
            checkpoint = walk.checkpoint()
            try:
                offset = self._window(walk, window, offset - base, base)
                plan.study.budget.spend(min(len(window), offset - base) // HEADER_BYTES)
                size = min(WINDOW + walk.ahead, HEADER_LIMIT)
            except (Incomplete, Disorder, DataFault) as error:
                walk.go_back(checkpoint)
                is_at_end = base + len(window) >= self._source.size
                if walk.last in PIXEL_DATA_TAGS and (is_at_end or not isinstance(error, Incomplete)):
                    break  # bytes after the dataset are dropped
                size = _larger(error, size, is_at_end)
            window = b""
        walk.add_below(NO_TAG)
        return walk.pieces()

    def _window(self, walk: RootWalk, window: bytes, pos: int, base: int) -> int:
        """Walk one window, and learn from the first one; returns the offset to go on from."""
        memory = walk.plan.memory
        if memory is None or walk.out or not memory.wants():
            walk.trace = None
            return walk.walk(window, pos, base)
        trace: Trace = []
        walk.trace = trace
        offset = walk.walk(window, pos, base)
        if trace:
            end = offset - base if offset <= base + len(window) else trace.pop()[1]
            memory.learn(walk.plan, window, trace, end, walk.creators, _rewritten)
        walk.trace = None
        return offset


def _larger(error: Exception, size: int, is_at_end: bool) -> int:
    """The size of the window to try next; raises what is wrong with the file where none helps."""
    if not isinstance(error, Incomplete):
        raise error
    if is_at_end:
        raise DataFault("Truncated") from None
    if size >= HEADER_LIMIT:
        raise DataFault("TooLarge") from None
    return larger(size)


def _rewritten(plan: DatasetPlan, elements: bytes, tags: list[int], creators: Creators) -> Rewritten:
    """What becomes of whole elements that stand behind those below their first tag, and before others."""
    done: list[ElementAction] = []
    walk = RootWalk(plan, NoImage(), done, BytesSource(elements))
    walk.last = tags[0] - 1
    walk.pass_additions(plan.additions_up_to(walk.last))
    before = {tag: PrivateCreator(tag, b"", creator.name) for tag, creator in creators.items() if tag < tags[0]}
    walk.creators = dict(before)
    walk.walk(elements, 0, 0)
    wanted = sorted({*map(creator_of, tags)} - {0} - (walk.creators.keys() - before.keys()))
    blocks = tuple((tag, before[tag].name, before[tag].used) if tag in before else (tag, None, False) for tag in wanted)
    return Rewritten(tuple(p for p in walk.out if not isinstance(p, Bulk)), tuple(done), blocks)


def _in_memory(bulk: Bulk, source: Source) -> bytes | Bulk:
    """An element of a dataset that was put in order, whose source nobody else has."""
    value = source.read(bulk.offset, bulk.length)
    return bulk._replace(parts=(value,)) if bulk.tag in PIXEL_DATA_TAGS else bulk.head + value
