"""One walk over a file's elements that does what a plan says: bytes in, the pieces of the new dataset out.

An element that no rule touches is copied as the bytes it came in; bulk data is passed on as a range of the source.
"""

from __future__ import annotations

import struct
from typing import Any

from sendit.deid.rewriting.deeds import (
    BULK,
    CALL,
    CHARSET,
    COPY,
    CREATOR,
    DROP,
    END,
    PRIVATE,
    STRETCH,
    VALUE,
    Deed,
    Job,
)
from sendit.deid.rewriting.plan import NO_TAG, Level
from sendit.deid.rewriting.stretches import Blocks, Creator, Creators, Rewritten, Stretch, Trace
from sendit.deid.stream.elements import DEPTH_LIMIT, ITEM_BEGINS, element_end, item_at
from sendit.deid.stream.encodings import UNDEFINED, Encoding, encoding_inside, long_length
from sendit.deid.stream.ordering import in_order, sequence_in_order
from sendit.deid.stream.sources import HEADER_LIMIT, WINDOW, Bulk, BytesSource, Source, fragments_end
from sendit.deid.stream.tags import ITEM_END, PIXEL_DATA_TAGS, SEQUENCE_END, creator_of
from sendit.deid.stream.values import BYTES_VRS
from sendit.errors import DataFault

CREATOR_BYTES = 64
"""What a Private Creator's value of VR LO has at most."""
BULK_BYTES = 64 * 1024
"""A value of bytes at the root that passes the window is streamed, not held, from this length on."""


Piece = bytes | Bulk | Creator


class NoJob:
    """No image is at hand; only for recipes without functions."""

    def dataset(self) -> Any:
        raise LookupError


class Incomplete(Exception):
    """The window ends within an element."""


class Disorder(Exception):
    """A tag at the root that is not above the one before it."""


class ItemDisorder(Exception):
    """A tag in an item that is not above the one before it."""


class Dataset:
    """The state of one dataset's walk: where it stands and what has come out."""

    __slots__ = ("_added", "_additions", "_done", "changed", "creators", "last", "level", "next_added", "out")

    def __init__(self, level: Level, done: list[Deed]) -> None:
        self.level, self._done = level, done
        self.last = -1
        self.out: list[Piece] = []
        self.creators: Creators = {}
        self.changed = False
        self._additions, self._added = level.additions(), 0
        self.next_added = self._additions[0].tag

    def switch(self, level: Level) -> None:
        """Go on at a level that adds the same tags, in another character set."""
        self.level, self._additions = level, level.additions()

    def add_below(self, tag: int) -> None:
        """Put out the additions below `tag`; one of `tag` itself is there already and not added."""
        while self.next_added <= tag and self.next_added < NO_TAG:
            added = self._additions[self._added]
            if added.tag < tag and added.encoded:
                self.out.append(added.encoded)
                self._done.append(added.deed)
                self.changed = True
            self._pass()

    def put(self, stretch: Stretch) -> None:
        """Put out what a stretch with Private Creators becomes."""
        for piece in stretch.pieces:
            if isinstance(piece, Creator):
                self.creators[piece.tag] = creator = piece.anew()
                self.out.append(creator)
            else:
                self.out.append(piece)
        self.creators.update(stretch.used)
        self.changed = True

    def is_in(self, blocks: Blocks) -> bool:
        """Whether the private blocks are those that a stretch was rewritten in; its creators then stay as it says."""
        creators = self.creators
        for tag, name, _ in blocks:
            creator = creators.get(tag)
            if (None if creator is None else creator.name) != name:
                return False
        for tag, _, used in blocks:
            if used:
                creators[tag].used = True
        return True

    def pass_additions(self, count: int) -> int:
        """Strike the additions up to the `count`th, which a stretch has put out; returns the next one's tag."""
        self._added = count
        self.next_added = tag = self._additions[count].tag
        return tag

    def _pass(self) -> None:
        self._added += 1
        self.next_added = self._additions[self._added].tag

    def fork(self) -> Dataset:
        """A copy to try a window with."""
        twin = Dataset.__new__(Dataset)
        twin.level, twin.last, twin.out, twin.changed = self.level, self.last, list(self.out), self.changed
        twin.creators, twin.next_added = dict(self.creators), self.next_added
        twin._additions, twin._added, twin._done = self._additions, self._added, self._done
        return twin

    def pieces(self) -> list[bytes | Bulk]:
        """What has come out, each Private Creator only if an element of its block did."""
        if not self.creators:
            return self.out  # type: ignore[return-value]
        return [piece.encoded if isinstance(piece, Creator) else piece for piece in self.out if _stays(piece)]

    def joined(self) -> bytes:
        """The pieces as bytes; only for an item, which holds no bulk."""
        return b"".join(piece for piece in self.pieces() if isinstance(piece, bytes))


def _stays(piece: Piece) -> bool:
    return not isinstance(piece, Creator) or piece.used


class Rewriter:
    """Walks one file's dataset.

    Parameters
    ----------
    source : Source
    job : Job
        Handed to the recipe's `func:` callables.

    Attributes
    ----------
    done : list of Deed
        The deeds that changed, removed or added an element, once for each.
    """

    __slots__ = ("_ahead", "_job", "_source", "_trace", "done")

    def __init__(self, source: Source, job: Job) -> None:
        self._source, self._job = source, job
        self._ahead = 0
        self.done: list[Deed] = []
        self._trace: Trace | None = None

    def root(self, level: Level, start: int, window: bytes = b"") -> list[bytes | Bulk]:
        """The pieces of the dataset that begins at `start`; tags that do not ascend are put in order first.

        `window` is the source's beginning, where it has been read already.
        """
        try:
            return self._root(level, start, window)
        except Disorder:
            return self._ordered_root(level, start)

    def _ordered_root(self, level: Level, start: int) -> list[bytes | Bulk]:
        if self._source.size - start > HEADER_LIMIT:
            raise DataFault("TooLarge")
        data = self._source.read(start, self._source.size - start)
        ordered = BytesSource(in_order(data, level.encoding))
        try:
            rewriter = Rewriter(ordered, self._job)
            pieces = rewriter._root(level, 0)
            self.done = rewriter.done
        except Disorder:
            raise DataFault("BadElement") from None
        return [p.head + ordered.read(p.offset, p.length) if isinstance(p, Bulk) else p for p in pieces]

    def _root(self, level: Level, offset: int, window: bytes = b"") -> list[bytes | Bulk]:
        dataset, size, memory, base = Dataset(level, self.done), WINDOW, level.memory, 0
        while offset < self._source.size:
            if not window:
                base, window = offset, self._source.read(offset, size)
            if offset - base >= len(window):  # the file has shrunk since it was opened
                raise DataFault("Truncated")
            trial, done = dataset.fork() if dataset.out else dataset, len(self.done)
            self._trace = [] if memory is not None and not dataset.out and memory.wants() else None
            try:
                after = self._walk(trial, window, offset - base, len(window), base)
                if self._trace and memory is not None:
                    whole = after - base if after <= base + len(window) else self._trace.pop()[1]
                    memory.learn(trial.level, window, self._trace, whole, trial.creators, self._rewritten)
                dataset, offset, size = trial, after, min(WINDOW + self._ahead, HEADER_LIMIT)
                self._ahead = 0
            except Incomplete:
                if base + len(window) >= self._source.size:
                    if dataset.last in PIXEL_DATA_TAGS:
                        del self.done[done:]
                        break  # bytes after the dataset are dropped
                    raise DataFault("Truncated") from None
                if size >= HEADER_LIMIT:
                    raise DataFault("TooLarge") from None
                size = min(size * 4, HEADER_LIMIT)
                dataset = dataset if dataset is not trial else Dataset(level, self.done)
                del self.done[done:]
            except (DataFault, Disorder):
                if dataset.last in PIXEL_DATA_TAGS:
                    del self.done[done:]
                    break
                raise
            window = b""
        dataset.add_below(NO_TAG)
        return dataset.pieces()

    def _rewritten(self, level: Level, elements: bytes, tags: list[int], creators: Creators) -> Rewritten:
        """What becomes of whole elements that stand behind those below their first tag, and before others."""
        rewriter = Rewriter(BytesSource(elements), NoJob())
        dataset = Dataset(level, rewriter.done)
        dataset.last = tags[0] - 1
        dataset.pass_additions(level.additions_up_to(dataset.last))
        before = {tag: Creator(tag, b"", creator.name) for tag, creator in creators.items() if tag < tags[0]}
        dataset.creators = dict(before)
        rewriter._walk(dataset, elements, 0, len(elements), 0)
        wanted = sorted({*map(creator_of, tags)} - {0} - (dataset.creators.keys() - before.keys()))
        blocks = tuple(
            (tag, before[tag].name, before[tag].used) if tag in before else (tag, None, False) for tag in wanted
        )
        return Rewritten(tuple(p for p in dataset.out if not isinstance(p, Bulk)), tuple(rewriter.done), blocks)

    # ------------------------------------------------------------------------------------------ one dataset

    def _walk(self, dataset: Dataset, buf: bytes, pos: int, end: int, base: int | None, depth: int = 0) -> int:
        """Walk the elements of one dataset from `pos`.

        At the root `base` is the window's offset in the source, and what returns is the offset to go on from. In an
        item `base` is None, and what returns is `end`, or the position behind the item's delimiter.
        """
        level, out, last, run = dataset.level, dataset.out, dataset.last, pos
        actions, head, order, next_added = level.actions, level.head, level.encoding.order, dataset.next_added
        trace, done = self._trace if base is not None else None, self.done
        while pos < end:
            try:
                key, size = head(buf, pos)
            except struct.error:
                break
            tag, deed = actions[key]
            if not last < tag < next_added:
                if tag <= last:
                    raise Disorder if base is not None else ItemDisorder
                if deed is None or deed.kind != END:
                    _flush(out, buf, run, pos)
                    run = pos
                    dataset.add_below(tag)
                    next_added = dataset.next_added
            if trace is not None:
                trace.append((key, pos))
            if deed is None:  # in short form, and no rule touches it: the commonest case
                pos += 8 + size
                last = tag
                continue
            kind = deed.kind
            if kind == STRETCH:
                assert isinstance(deed, Stretch)
                if buf.startswith(deed.source, pos) and (not deed.blocks or dataset.is_in(deed.blocks)):
                    if run < pos:
                        out.append(buf[run:pos])
                    if deed.encoded:
                        out.append(deed.encoded)
                    elif deed.pieces:
                        dataset.put(deed)
                    done.append(deed)
                    run = pos = pos + len(deed.source)
                    last = deed.last
                    if last >= next_added:
                        next_added = dataset.pass_additions(deed.additions)
                    continue
                deed = deed.forget(level, key)
                if deed is None:
                    pos += 8 + size
                    last = tag
                    continue
                kind = deed.kind
            last = tag
            begin = pos + 8
            if deed.long:
                begin = pos + 12
                if begin > end:
                    break
                size = long_length(buf, pos + 8, order)
            after = begin + size
            if kind <= VALUE and after <= end:  # a rule speaks of it; an undefined length is far beyond the end
                new = deed.memo[buf[begin:after]] if kind == VALUE else b""  # type: ignore[index]
                if new is not None:
                    if run < pos:
                        out.append(buf[run:pos])
                    if new:
                        out.append(new)
                    run = after
                    dataset.changed = True
                    done.append(deed if new or kind == DROP else deed.removal)
                pos = after
                continue
            if kind == END:
                if tag == SEQUENCE_END or base is not None or buf[pos + 4 : pos + 8] != bytes(4):
                    raise DataFault("BadSequence")
                _flush(out, buf, run, pos)
                return pos + 8
            if kind == CREATOR:
                kind = self._creator(dataset, buf, pos, begin, size, end, run)
                run = pos = begin + size
                continue
            if kind == PRIVATE:
                deed = self._private(dataset, deed)
                if deed is None:
                    pos = begin + size
                    continue
                kind = deed.kind
            if size != UNDEFINED:
                if kind == COPY and after <= end:
                    pos = after
                    continue
                if after > end:
                    if base is None or base + after > self._source.size:
                        raise DataFault("Truncated", tag=tag)
                    if kind in (DROP, BULK) or (kind == COPY and size >= BULK_BYTES and deed.vr in BYTES_VRS):
                        _flush(out, buf, run, pos)
                        if kind == DROP:
                            done.append(deed)
                        else:
                            out.append(Bulk(tag, buf[pos:begin], base + begin, size))
                        dataset.last = last
                        return base + after
                    if (
                        kind == VALUE and pos and tag - 1 not in PIXEL_DATA_TAGS
                    ):  # go on in a window that begins with it
                        _flush(out, buf, run, pos)
                        if trace is not None:
                            trace.pop()
                        dataset.last, self._ahead = tag - 1, after - pos
                        return base + pos
                    break
            if kind == BULK and base is not None:
                after = begin + size if size != UNDEFINED else self._fragments(base + begin, level.encoding) - base
                _flush(out, buf, run, pos)
                out.append(Bulk(tag, buf[pos:begin], base + begin, after - begin))
                dataset.last = last
                return base + after
            try:
                new, after = self._element(dataset, deed, buf, pos, begin, size, end, depth)
            except DataFault as fault:
                if fault.code == "Truncated" and base is not None:
                    break  # a sequence of undefined length may merely pass the window
                raise
            if kind == CHARSET:
                level = dataset.level
                actions, next_added = level.actions, dataset.next_added
                if trace is not None:
                    trace.clear()
            if new is not None:
                if run < pos:
                    out.append(buf[run:pos])
                if new:
                    out.append(new)
                run = after
                dataset.changed = True
                if kind in (DROP, VALUE, CALL):
                    done.append(deed if new or kind == DROP else deed.removal)
            pos = after
        if pos != end:
            if base is None:
                raise DataFault("Truncated", tag=last if last >= 0 else None)
            if pos > end and base + pos > self._source.size:
                raise DataFault("Truncated", tag=last)
            raise Incomplete
        _flush(out, buf, run, end)
        dataset.last = last
        return end if base is None else base + end

    def _fragments(self, offset: int, encoding: Encoding) -> int:
        return fragments_end(self._source, offset, encoding)

    def _element(
        self, dataset: Dataset, deed: Deed, buf: bytes, pos: int, begin: int, size: int, end: int, depth: int
    ) -> tuple[bytes | None, int]:
        """What becomes of one element: the new one, None if it is copied, b"" if it goes; and where it ends."""
        level, kind = dataset.level, deed.kind
        if (
            size == UNDEFINED
            and not (deed.vr in ("SQ", "UN", "OB", "OW") and deed.long)
            and not level.encoding.implicit
        ):
            raise DataFault("BadElement", tag=deed.tag)
        if kind not in (COPY, DROP, VALUE, CHARSET, CALL):
            return self._sequence(level, deed, buf, pos, begin, size, end, depth)
        after = begin + size if size != UNDEFINED else element_end(buf, pos, end, level.encoding, depth)
        match kind:
            case _ if kind == VALUE:
                assert deed.memo is not None
                return deed.memo[buf[begin:after]], after
            case _ if kind == DROP:
                return b"", after
            case _ if kind == CALL:
                assert deed.call is not None
                return deed.call(buf[begin:after], self._job), after
            case _ if kind == CHARSET:
                dataset.switch(level.with_charset(buf[begin:after]))
        return None, after

    # ------------------------------------------------------------------------------------------ private blocks

    def _creator(self, dataset: Dataset, buf: bytes, pos: int, begin: int, size: int, end: int, run: int) -> int:
        """Note a Private Creator (PS3.5 7.8.1); its element waits for one of its block to be passed on."""
        tag = dataset.level.encoding.tag(buf[pos : pos + 4])
        if size > CREATOR_BYTES:
            raise DataFault("BadElement", tag=tag)
        if begin + size <= end:
            _flush(dataset.out, buf, run, pos)
            creator = Creator(tag, buf[pos : begin + size], buf[begin : begin + size].decode("latin-1").strip(" \0"))
            dataset.creators[tag] = creator
            dataset.out.append(creator)
            dataset.changed = True
        return CREATOR

    def _private(self, dataset: Dataset, deed: Deed) -> Deed | None:
        """The deed for a private element, by the creator of its block."""
        creator = dataset.creators.get(creator_of(deed.tag))
        found = dataset.level.private(deed.tag, deed.vr, deed.long, creator.name if creator else None)
        if creator is not None and (found is None or found.kind != DROP):
            creator.used = True
        return found

    # ------------------------------------------------------------------------------------------ sequences

    def _sequence(
        self, level: Level, deed: Deed, buf: bytes, pos: int, begin: int, size: int, end: int, depth: int
    ) -> tuple[bytes | None, int]:
        """A sequence, each of its items walked (PS3.5 7.5); an element of unknown VR that looks like one, too."""
        if depth >= DEPTH_LIMIT:
            raise DataFault("TooDeep", tag=deed.tag)
        encoding = encoding_inside(deed.vr, level.encoding)
        limit = end if size == UNDEFINED else begin + size
        if deed.vr == "UN" and size != UNDEFINED and buf[begin : begin + 4] != ITEM_BEGINS:
            return None, limit
        done = len(self.done)
        try:
            items, after = self._items(level, deed.tag, encoding, buf, begin, limit, size == UNDEFINED, depth)
        except ItemDisorder:
            if depth:  # the outermost sequence is put in order as a whole, so that all is walked at most twice
                raise
            del self.done[done:]
            ordered = sequence_in_order(buf, pos, limit, level.encoding)[begin - pos :]
            after = begin + len(ordered)
            items = self._ordered_items(level, deed.tag, encoding, ordered, size == UNDEFINED)
        if items is None:
            return None, after
        if size != UNDEFINED:
            return level.encoding.write(deed.tag, "SQ" if deed.vr == "SQ" else "UN", items), after
        return buf[pos:begin] + items + encoding.mark(SEQUENCE_END), after

    def _ordered_items(self, level: Level, tag: int, encoding: Encoding, ordered: bytes, delimited: bool) -> bytes:
        """The items of an outermost sequence that was put in order; what is read otherwise now cannot be understood."""
        try:
            items, _ = self._items(level, tag, encoding, ordered, 0, len(ordered), delimited, 0)
        except ItemDisorder:
            raise DataFault("BadSequence", tag=tag) from None
        return ordered[: -8 if delimited else None] if items is None else items

    def _items(
        self, level: Level, tag: int, encoding: Encoding, buf: bytes, pos: int, end: int, delimited: bool, depth: int
    ) -> tuple[bytes | None, int]:
        """The items from `pos`: their new bytes, or None if all stay as they are; and where the sequence ends."""
        out: list[bytes] = []
        index, changed, indexed = 0, False, level.plan.uses_indices
        while delimited or pos < end:
            bounds = item_at(buf, pos, end, encoding, delimited=delimited, sequence=tag)
            if bounds is None:
                return b"".join(out) if changed else None, pos + 8
            begin, stop, is_delimited = bounds
            child = level.child(tag, index if indexed else None, encoding)
            if child.cleans:
                child = child.of_item(buf, begin, stop)
            item, after = self._item(child, buf, begin, stop, depth, delimited=is_delimited)
            if item is None:
                out.append(buf[pos:after])
            else:
                changed = True
                out.append(encoding.item(item, delimited=is_delimited))
            pos, index = after, index + 1
        return b"".join(out) if changed else None, pos

    def _item(
        self, level: Level, buf: bytes, begin: int, end: int, depth: int, *, delimited: bool
    ) -> tuple[bytes | None, int]:
        dataset = Dataset(level, self.done)
        after = self._walk(dataset, buf, begin, end, None, depth + 1)
        ended = buf[after - 8 : after - 4] == level.encoding.mark(ITEM_END)[:4] if delimited else after == end
        if not ended:
            raise DataFault("Truncated" if delimited else "BadSequence")
        dataset.add_below(NO_TAG)
        return (dataset.joined() if dataset.changed else None), after


def _flush(out: list[Piece], buf: bytes, run: int, pos: int) -> None:
    if run < pos:
        out.append(buf[run:pos])
