"""What is raised where a rule of sendit's own withholds an image."""

from __future__ import annotations

from collections.abc import Sequence

from sendit.errors import DataFault


class Withheld(DataFault):
    """An image that is not delivered, although no filter of the recipe withholds it by its header.

    Parameters
    ----------
    code : str
        A code of `DataFault`, which says it to who de-identifies a single image.
    rule : str
        What is counted and shown as the rule.
    tag : int, optional
    boxes : sequence of tuple
        Rectangles of its pixels, as (left, top, right, bottom), that would be blanked: a person may know better.
    """

    def __init__(
        self, code: str, rule: str, *, tag: int | None = None, boxes: Sequence[tuple[int, int, int, int]] = ()
    ) -> None:
        super().__init__(code, tag=tag)
        self.rule, self.boxes = rule, tuple(boxes)

    @property
    def is_for_a_person(self) -> bool:
        """Whether a person who looks at the image can say more than sendit can."""
        return self.code == "TextInPixels"

    def __reduce__(self) -> tuple[object, ...]:
        return (_withheld, (self.code, self.rule, self.tag, self.boxes))


def _withheld(code: str, rule: str, tag: int | None, boxes: Sequence[tuple[int, int, int, int]]) -> Withheld:
    return Withheld(code, rule, tag=tag, boxes=boxes)
