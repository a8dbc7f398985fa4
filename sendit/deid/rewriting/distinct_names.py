"""Items that people tell apart by a name: two of them never come to have the same name, nor one of them none."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from itertools import chain, count

from sendit.deid.rewriting.actions import ElementAction
from sendit.deid.rewriting.plan import DatasetPlan
from sendit.deid.standard.content import REMOVED
from sendit.deid.stream.elements import elements, item_at, item_end
from sendit.deid.stream.encodings import Encoding, encoding_inside
from sendit.deid.stream.heads import FLAT

LONGEST = 64
"""Characters of an LO."""


@dataclass(frozen=True, slots=True)
class Named:
    """The items of a sequence: where each has its name and its number, and what one without a name is called."""

    name: int
    number: int
    kind: str


NAMED = {
    0x30060020: Named(0x30060026, 0x30060022, "ROI"),
    0x00620002: Named(0x00620005, 0x00620004, "SEGMENT"),
    0x300A00B0: Named(0x300A00C2, 0x300A00C0, "BEAM"),
}
"""Structure Set ROI, Segment and Beam Sequence."""


@dataclass(slots=True)
class _Item:
    content: bytes
    is_delimited: bool
    name: bytes = b""
    number: str = ""
    span: tuple[int, int, str] | None = None
    """Where in the content the element of the name begins and ends, and its VR."""

    def called(self, name: bytes, tag: int, encoding: Encoding) -> bytes:
        """The item's bytes with another name."""
        assert self.span is not None
        begin, end, vr = self.span
        element = encoding.write(tag, vr or "LO", name + b" " * (len(name) % 2))
        return encoding.item(self.content[:begin] + element + self.content[end:], delimited=self.is_delimited)


def told_apart(plan: DatasetPlan, action: ElementAction, before: bytes, after: bytes) -> bytes:
    """The items `after` of a sequence whose items were `before`, with names that tell them apart as they did.

    A name that is as it was stays. A line of the recipe's own that names the attribute has the last word.
    """
    named, encoding = NAMED[action.tag], encoding_inside(action.vr, plan.encoding)
    items = plan.child(action.tag, 0 if plan.study.uses_indices else None, encoding)
    decision = items.decide(named.name, "LO", None)
    old, new = list(_read(before, named, encoding)), list(_read(after, named, encoding))
    is_own = decision.rule is not None and not decision.rule.of_profile
    if is_own or len(old) != len(new):
        return after
    is_changed = [two.span is not None and one.name != two.name for one, two in zip(old, new, strict=True)]
    taken = {one.name.lower() for one, changed in zip(new, is_changed, strict=True) if not changed}
    out = []
    for one, changed in zip(new, is_changed, strict=True):
        name = _free(one, named.kind.encode(), taken) if changed else one.name
        taken.add(name.lower())
        plain = encoding.item(one.content, delimited=one.is_delimited)
        out.append(plain if name == one.name else one.called(name, named.name, encoding))
    return b"".join(out)


def _free(one: _Item, kind: bytes, taken: Container[bytes]) -> bytes:
    """A name that no other item has: the item's own, or with its number, or with a count."""
    is_own = one.name not in (b"", REMOVED.encode())
    if is_own and one.name.lower() not in taken:
        return one.name
    may_be_cut = len(one.name) <= LONGEST - 8 or one.name.isascii()
    stem = one.name if is_own and may_be_cut else kind
    endings = chain((f" {one.number}",), (f" {one.number}-{n}" for n in count(2)))
    candidates = (stem[: LONGEST - len(ending)] + ending.encode() for ending in endings)
    return next(name for name in candidates if name.lower() not in taken)


def _read(buf: bytes, named: Named, encoding: Encoding) -> Iterator[_Item]:
    pos = 0
    while pos < len(buf) and (bounds := item_at(buf, pos, len(buf), encoding, delimited=True)) is not None:
        begin, stop, is_delimited = bounds
        pos = item_end(buf, begin, stop, encoding, 1) if is_delimited else stop
        item = _Item(buf[begin : pos - 8 if is_delimited else pos], is_delimited)
        _look_into(item, named, encoding)
        yield item


def _look_into(item: _Item, named: Named, encoding: Encoding) -> None:
    content = item.content
    for tag, vr, written, start, value, after, _ in elements(content, 0, len(content), FLAT[encoding]):
        if tag == named.name:
            item.name, item.span = content[value:after].strip(b" \0"), (start, after, written)
        elif tag == named.number:
            item.number = _number(content[value:after], vr, encoding)


def _number(raw: bytes, vr: str, encoding: Encoding) -> str:
    if vr == "US":
        return str(int.from_bytes(raw[:2], "little" if encoding.order == "<" else "big"))
    text = raw.strip(b" \0").decode("latin-1")
    return text if text.isdecimal() else ""
