"""One image's pixels made clean: looked at, blanked, proven.

This is the worker's side. It reads structure only; what decodes and looks is the detector's process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from sendit.deid.burned_in.detector import Detector, is_installed, shared_detector
from sendit.deid.burned_in.masks import blanked_by
from sendit.deid.burned_in.measurements import KEEP_NOTHING, Keeping
from sendit.deid.burned_in.messages import Aim, Message
from sendit.deid.burned_in.picture import PIXEL_DATA, READER, Picture, picture_of
from sendit.deid.burned_in.record import Box, Mask, PixelRecord, Reason
from sendit.deid.burned_in.worker_frames import Frames, NotProven, frames_of
from sendit.deid.recipe.screen import PixelTask
from sendit.deid.rewriting.withheld import Withheld
from sendit.deid.stream.part_ten import PartTen
from sendit.deid.stream.sources import Bulk
from sendit.deid.stream.tags import PIXEL_DATA_TAGS
from sendit.errors import ServiceDown

Pieces = list[bytes | Bulk]

T = TypeVar("T")
ATTEMPTS = 2
DECODING = frozenset({"look", "blank"})
"""Messages about which a codec is asked."""
NOT_DECODED = "sendit: pixels that cannot be looked at"
ALL_BLANK = "sendit: nothing of the image would be left"
TEXT_LEFT = "sendit: text may be left in the pixels"
NOT_PROVEN = "sendit: pixels changed where nothing was to be blanked"


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The pieces, and the file that they are ranges of, as they are delivered.

    `record` is None for an image without pixels.
    """

    pieces: Pieces
    part_ten: PartTen
    record: PixelRecord | None


def clean(pieces: Pieces, part_ten: PartTen, task: PixelTask, keeping: Keeping = KEEP_NOTHING) -> Cleaned:
    """Return a rewritten image with clean pixels; what may be kept of its text is the site's policy.

    Raises
    ------
    Withheld
        It cannot be told that no text is left: TextInPixels.
    ServiceDown
        DetectorDown.
    """
    image = _image(pieces, part_ten, task)
    if image is None:
        return Cleaned(pieces, part_ten, None)
    record = _asked(*image, keeping, lambda cleaning: cleaning.run(task))
    if not record.masks:
        return Cleaned(pieces, part_ten, record)
    replaced = image[0].replaced()
    return Cleaned(replaced.pieces, replaced.part_ten, record)


def look(pieces: Pieces, part_ten: PartTen, task: PixelTask, keeping: Keeping = KEEP_NOTHING) -> PixelRecord | None:
    """Return what `clean` would say of an image that is clean already; None where there is anything to be done.

    Raises
    ------
    Withheld
        Nobody can look at it.
    ServiceDown
        DetectorDown.
    """
    image = _image(pieces, part_ten, task)
    return None if image is None else _asked(*image, keeping, lambda cleaning: cleaning.look(task))


def _image(pieces: Pieces, part_ten: PartTen, task: PixelTask) -> tuple[Frames, Picture] | None:
    """The frames of an image, and what its header says of them; None for one without pixels."""
    bulks = [piece for piece in pieces if isinstance(piece, Bulk) and piece.tag in PIXEL_DATA_TAGS]
    if not bulks:
        return None
    if not is_installed():
        raise withheld(task.rule)
    picture = picture_of(READER.of(part_ten), part_ten.syntax.uid, part_ten.encoding.order)
    frames = frames_of(pieces, bulks[0], part_ten, picture) if picture is not None and len(bulks) == 1 else None
    if picture is None or frames is None:
        raise withheld(NOT_DECODED)
    return frames, picture


def _asked(frames: Frames, picture: Picture, keeping: Keeping, question: Callable[[Cleaning], T]) -> T:
    """The answer. A frame that ends its decoder twice is no frame; a detector that ends is a service down."""
    with shared_detector() as detector:
        return _answered(Cleaning(frames, picture, detector, keeping), frames, detector, question)


def _answered(cleaning: Cleaning, frames: Frames, detector: Detector, question: Callable[[Cleaning], T]) -> T:
    for attempt in range(ATTEMPTS):
        try:
            return question(cleaning)
        except ServiceDown as down:
            if detector.ended_with not in DECODING or not frames.are_encoded:
                raise
            if attempt == ATTEMPTS - 1:
                raise withheld(NOT_DECODED) from down
    raise AssertionError


def withheld(rule: str, masks: Iterable[Mask] = ()) -> Withheld:
    """The fault of an image that nobody can say is clean; the masks are as far as sendit came."""
    return Withheld("TextInPixels", rule, tag=PIXEL_DATA, boxes=[mask.box for mask in masks])


class Cleaning:
    """The rounds of one image."""

    def __init__(self, frames: Frames, picture: Picture, detector: Detector, keeping: Keeping) -> None:
        self._frames, self._picture, self._detector, self._keeping = frames, picture, detector, keeping
        self._name = ""

    def run(self, task: PixelTask) -> PixelRecord:
        """Look, blank, and look again until nothing is found; returns what was done."""
        picture = self._picture
        masks = self._given(task)
        if task.is_drawn:
            return self._drawn(masks, task)
        found = self._look(masks)
        if picture.said_yes and not masks and not found:
            raise withheld(task.rule)  # somebody saw what the detector does not see
        masks += [Mask(box, Reason.TEXT) for box in found]
        again = self._prove(masks) if masks else []
        masks += [Mask(box, Reason.TEXT_AGAIN) for box in again]
        if again and self._prove(masks):
            raise withheld(TEXT_LEFT, masks)
        return self._record(masks, task, self._name)

    def look(self, task: PixelTask) -> PixelRecord | None:
        """Look alone; returns what was done where that was all that there is to do."""
        if self._given(task) or self._look([]) or self._picture.said_yes:
            return None
        return self._record([], task, self._name)

    def _drawn(self, masks: list[Mask], task: PixelTask) -> PixelRecord:
        """Blank what a person drew, and nothing else."""
        if masks:
            self._compare(masks)
        return self._record(masks, task, "")

    def _record(self, masks: list[Mask], task: PixelTask, detector: str) -> PixelRecord:
        picture = self._picture
        return PixelRecord(task.rule, tuple(masks), detector, picture.frames, picture.rows, picture.columns, task.named)

    def _given(self, task: PixelTask) -> list[Mask]:
        picture = self._picture
        reason = Reason.DRAWN if task.is_drawn else Reason.COORDINATES
        try:
            boxes = blanked_by(task.regions, picture.rows, picture.columns)
        except ValueError:
            raise withheld(NOT_DECODED) from None
        masks = [Mask(box, reason) for box in map(self._aligned, boxes)]
        if sum(mask.box.area for mask in masks) >= picture.rows * picture.columns:
            raise withheld(ALL_BLANK)
        return masks

    def _aligned(self, box: Box) -> Box:
        across, down = self._frames.step
        whole = Box(
            box.left // across * across,
            box.top // down * down,
            -(-box.right // across) * across,
            -(-box.bottom // down) * down,
        )
        return whole.within(self._picture.rows, self._picture.columns)

    def _look(self, masks: list[Mask]) -> list[Box]:
        self._begin(masks, Aim.FIND)
        for frame in self._frames:
            self._ask({"do": "look"}, frame)
        return self._finds()

    def _prove(self, masks: list[Mask]) -> list[Box]:
        """What can still be read in the blanked frames. Withheld where they differ from the original elsewhere."""
        self._compare(masks, Aim.READ)
        return self._finds()

    def _compare(self, masks: list[Mask], aim: Aim = Aim.COMPARE) -> None:
        """Have all frames blanked. Withheld where they differ from the original elsewhere."""
        self._begin(masks, aim)
        try:
            self._frames.prove(self._ask, [mask.box for mask in masks])
        except NotProven:
            raise withheld(NOT_PROVEN) from None

    def _begin(self, masks: list[Mask], aim: Aim) -> None:
        boxes = [list(mask.box) for mask in masks]
        said: dict[str, object] = {
            "do": "begin",
            "picture": self._picture.as_json(),
            "masks": boxes,
            "aim": aim,
            "keeps": self._keeping.measurements,
        }
        answer = self._detector.begin(said)
        self._name = str(answer.said["detector"])

    def _finds(self) -> list[Box]:
        said = self._ask({"do": "boxes"}, b"").said
        spoken = [box for box, text in said["kept"] if not self._keeping.keeps(text)]
        return [self._aligned(Box(*box)) for box in (*said["boxes"], *spoken)]

    def _ask(self, said: dict[str, object], data: bytes) -> Message:
        answer = self._detector.ask(said, data)
        if "fault" in answer.said:
            raise withheld(NOT_DECODED)
        if answer.said.get("full") is True:
            self._detector.ask({"do": "step"})
        return answer
