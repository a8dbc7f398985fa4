"""What is raised where a rule of sendit's own withholds an image."""

from __future__ import annotations

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
    """

    def __init__(self, code: str, rule: str, *, tag: int | None = None) -> None:
        super().__init__(code, tag=tag)
        self.rule = rule

    def __reduce__(self) -> tuple[object, ...]:
        return (_withheld, (self.code, self.rule, self.tag))


def _withheld(code: str, rule: str, tag: int | None) -> Withheld:
    return Withheld(code, rule, tag=tag)
