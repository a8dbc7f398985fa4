"""Runs of elements that the images of a study share: rewritten once, then recognized by their bytes."""

# The theory.
#
# Two images of a series differ in about a dozen elements out of hundreds. What stands between those elements is the
# same, byte for byte, and so is what it becomes: unless a recipe calls functions (which see the whole image, and then
# there is no RunMemory), the result of an element depends on
#
#   1. its own bytes;
#   2. the place: always the root, the encoding, the character set and the SOP class, which belong to the DatasetPlan
#      whose `actions` hold the run;
#   3. for a private element, the name of the Private Creator of its block, which may stand before the run;
#   4. the elements that rules add where they are absent. They are added between their neighbours by tag, so those that
#      fall within the run are a part of its result.
#
# So a run is replaced as a whole if its bytes follow at its place (one `startswith`) and the private blocks that begin
# before it have the names that it was rewritten with (`blocks`). Otherwise nothing is lost: the run is given up and its
# first element is treated by its own action (`fallback`), and so are those behind it.
#
# The dependency runs the other way too. Whether a Private Creator is written depends on its elements. A block that
# begins before the run and has an element in it that stays is marked as used; a Private Creator within the run whose
# block may go on behind it is handed to the dataset (`pieces`), to be decided there.
#
# Which elements form a run is learned from the images. Every root element of an image that is learned from is compared
# with the element of the same key in the image before; neighbours that did not change become a run. An element that
# changed too often (VOLATILE) breaks runs, for a run that fails costs more than it saves.

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Generic, Protocol, TypeVar

from sendit.deid.rewriting.actions import ActionKind, ElementAction
from sendit.deid.rewriting.private_blocks import Blocks, Creators, PrivateCreator

SHORTEST, ELEMENT_BYTES, RUN_BYTES = 2, 8 * 1024, 16 * 1024
FIRST_IMAGES, EVERY = 16, 32
"""The first images of a study are learned from; then every 32nd, and each that follows one in which a run failed."""
KEYS = 2048
"""How many elements are remembered; hostile images bring ever new ones."""
VOLATILE = 8
"""An element that changed in more than one of this many images is no part of a run."""

STABLE_KINDS = frozenset(
    {
        ActionKind.DROP,
        ActionKind.VALUE,
        ActionKind.COPY,
        ActionKind.BYTES,
        ActionKind.SEQUENCE,
        ActionKind.PRIVATE,
        ActionKind.CREATOR,
    }
)
"""Kinds of actions whose result depends on nothing but what is listed above."""

Trace = list[tuple[bytes, int]]
"""Key and position of each root element that was walked, in order."""
Span = tuple[bytes, int, int]
"""One of them: its key, where it begins, and where it ends."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What whole elements become, what was done to them, and the private blocks of theirs that begin before them."""

    pieces: tuple[bytes | PrivateCreator, ...]
    actions: tuple[ElementAction, ...]
    blocks: Blocks


class RootPlan(Protocol):
    """What is asked of a root dataset's plan here."""

    @property
    def actions(self) -> dict[bytes, tuple[int, ElementAction | None]]:
        """The tag and the action of a key."""
        ...

    def additions_up_to(self, tag: int) -> int:
        """How many elements that rules add have that tag or a lower one."""
        ...


P = TypeVar("P", bound=RootPlan)
Rewrite = Callable[[P, bytes, list[int], Creators], Rewritten]
"""Rewrites whole elements, given the plan, their bytes, their tags, and the creators of the dataset they stand in."""


class SharedRun(ElementAction):
    """The action of a run's first key: its bytes `source` become `encoded`, or `pieces` if Private Creators are open.

    Attributes
    ----------
    last : int
        The last tag of the run.
    additions : int
        How many elements that rules add stand up to that tag.
    fallback : ElementAction or None
        The first element's own action.
    blocks : tuple
        The private blocks that the run was rewritten in.
    used : dict
        The Private Creators within the run that stay in any case, and whose blocks may go on behind it.
    """

    __slots__ = ("actions", "additions", "blocks", "encoded", "fallback", "last", "pieces", "source", "used")

    def __init__(
        self, source: bytes, first: int, last: int, rewritten: Rewritten, additions: int, fallback: ElementAction | None
    ) -> None:
        super().__init__(ActionKind.SHARED_RUN, first, "", long=False)
        self.source, self.last, self.additions, self.fallback = source, last, additions, fallback
        self.blocks, self.actions = rewritten.blocks, rewritten.actions
        creators = [p for p in rewritten.pieces if isinstance(p, PrivateCreator) and p.block_end > last]
        pieces = tuple(_joined(rewritten.pieces, last))
        self.used = {creator.tag: creator for creator in creators if creator.used}
        self.pieces = pieces if creators else ()
        self.encoded = b"" if creators else b"".join(pieces)  # type: ignore[arg-type]


def _joined(pieces: Iterable[bytes | PrivateCreator], last: int) -> Iterator[bytes | PrivateCreator]:
    """The pieces joined, except for the Private Creators that elements behind the tag `last` decide about."""
    held: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            held.append(piece)
        elif piece.used:
            held.append(piece.encoded)
        elif piece.block_end > last:
            if held:
                yield b"".join(held)
            yield piece
            held = []
    if held:
        yield b"".join(held)


class RunMemory(Generic[P]):
    """Remembers the root elements of the images so far, and makes runs of those that stay the same."""

    __slots__ = ("_changes", "_elements", "_images", "failed")

    def __init__(self) -> None:
        self._elements: dict[bytes, bytes] = {}
        self._changes: Counter[bytes] = Counter()
        self._images = 0
        self.failed = False
        """Whether a run was not met in the latest image."""

    def wants(self) -> bool:
        """Whether the next image is learned from."""
        self._images += 1
        wanted = self.failed or self._images <= FIRST_IMAGES or self._images % EVERY == 0
        self.failed = False
        return wanted

    def learn(self, plan: P, buf: bytes, trace: Trace, end: int, creators: Creators, rewrite: Rewrite[P]) -> None:
        """Compare an image's elements with those of the image before, and make runs of what is the same."""
        spans = [(key, begin, after) for (key, begin), (_, after) in pairwise([*trace, (b"", end)])]
        judged = [(self._is_stable(plan.actions[span[0]][1], span, buf), span) for span in spans]
        for stable, group in groupby(judged, key=lambda pair: pair[0]):
            if stable:
                _make_runs(plan, [span for _, span in group], buf, creators, rewrite)

    def _is_stable(self, action: ElementAction | None, span: Span, buf: bytes) -> bool:
        key, begin, end = span
        if (action is not None and action.kind not in STABLE_KINDS) or end - begin > ELEMENT_BYTES:
            return False
        element, known = buf[begin:end], self._elements.get(key)
        if known is not None and known != element:
            self._changes[key] += 1
        if len(self._elements) >= KEYS:
            self._elements.clear()
        self._elements[key] = element
        return known == element and self._changes[key] * VOLATILE <= max(self._images, VOLATILE)


def _make_runs(plan: P, spans: list[Span], buf: bytes, creators: Creators, rewrite: Rewrite[P]) -> None:
    """Make runs of neighbouring elements, each as long as RUN_BYTES allows."""
    while len(spans) >= SHORTEST:
        begin = spans[0][1]
        count = sum(end - begin <= RUN_BYTES for _, _, end in spans)
        part, spans = spans[:count], spans[count:]
        source, key = buf[begin : part[-1][2]], part[0][0]
        tags = [plan.actions[key][0] for key, _, _ in part]
        rewritten, fallback = rewrite(plan, source, tags, creators), plan.actions[key][1]
        run = SharedRun(source, tags[0], tags[-1], rewritten, plan.additions_up_to(tags[-1]), fallback)
        plan.actions[key] = (tags[0], run)


def each_action(done: Iterable[ElementAction]) -> Iterator[ElementAction]:
    """The actions one by one, those within shared runs too."""
    for action in done:
        if isinstance(action, SharedRun):
            yield from action.actions
        else:
            yield action
