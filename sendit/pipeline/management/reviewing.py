"""What `release` and `reject` share: how images are named, and what is said of each."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any, ClassVar

from django.conf import settings

from sendit.audit.acts import Act
from sendit.audit.trail import Actor, AuditKey, note
from sendit.ground.commands import NEEDS_A_LOOK, DatabaseCommand, WrongUse
from sendit.pipeline.operations import COMMAND, MOST_MASKS, Reviewed, is_mask, review
from sendit.pipeline.record.decisions import Boxes, Decision, boxes_of
from sendit.pipeline.record.states import Job
from sendit.pipeline.workforce.choice import wake
from sendit.projects.composition import Projects

IMAGE = re.compile(r"(\d{1,18})/(\d{1,9})", re.ASCII)
ACTS = {Decision.RELEASE: Act.RELEASE, Decision.REJECT: Act.REJECT}


class ReviewCommand(DatabaseCommand):
    """Decide about images, each named by the primary key of its batch and its number: `17/3`."""

    decision: ClassVar[Decision]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("images", metavar="IMAGE", nargs="+", help="a batch's primary key and a number, as 17/3")
        parser.add_argument("--reason", metavar="R", required=True, help="why; kept encrypted")

    def handle(self, *args: Any, images: list[str], reason: str, mask: list[str] | None = None, **options: Any) -> None:
        """Decide; exit code 1 where one could not be decided."""
        drawn = _drawn(mask)
        projects, all_decided = Projects(settings.SITE), True
        key = AuditKey.of(settings.SITE.secrets_folder, settings.SITE.var)
        for batch, numbers in _by_batch(images).items():
            note(key, ACTS[self.decision], Actor(COMMAND), [("batch", batch)], reason=f"{len(numbers)} images")
            masks = None if drawn is None else dict.fromkeys(numbers, drawn)
            reviewed = review(projects, batch, numbers, self.decision, COMMAND, reason, masks)
            self.lines(said(batch, reviewed, self.decision))
            all_decided &= reviewed is not None and len(reviewed.decided) == len(numbers)
        wake(Job.PROCESS)
        if not all_decided:
            sys.exit(NEEDS_A_LOOK)


def _drawn(texts: list[str] | None) -> Boxes | None:
    """What is to be blanked; None where nothing is said of it."""
    if texts is None:
        return None
    try:
        boxes = boxes_of("; ".join(text for text in texts if text != "none"))
    except ValueError:
        raise WrongUse("--mask is left,top,width,height in pixels of the image, or none.") from None
    if len(boxes) > MOST_MASKS or any(not is_mask(box) for box in boxes):
        raise WrongUse(f"--mask names a rectangle of the image; at most {MOST_MASKS} may be given.")
    return boxes


def _by_batch(images: list[str]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for text in images:
        named = IMAGE.fullmatch(text)
        if named is None:
            raise WrongUse("IMAGE is a batch's primary key and a number, as 17/3.")
        found.setdefault(int(named[1]), []).append(int(named[2]))
    return found


def said(batch: int, reviewed: Reviewed | None, decision: Decision) -> Iterator[str]:
    """Yield a line for each image, or one for the batch."""
    if reviewed is None:
        yield f"batch {batch}: there is none."
        return
    if reviewed.is_on_the_move:
        yield f"batch {batch} is being worked on or waits for a worker: try again when it is DONE or EMPTY."
    done = "released: it goes out with the next part" if decision is Decision.RELEASE else "rejected"
    for number in reviewed.decided:
        yield f"image {batch}/{number} is {done}."
    for number in reviewed.forbidden:
        yield f"image {batch}/{number}: left alone, no graylist withholds it."
    for number in reviewed.gone:
        yield f"image {batch}/{number}: its original no longer exists."
    for number, earlier in reviewed.too_late:
        yield f"image {batch}/{number}: {earlier.actor} has decided already: {earlier.decision}."
