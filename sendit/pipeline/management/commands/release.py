"""`release`: delivers images that a graylist withheld after all."""

from __future__ import annotations

from argparse import ArgumentParser

from sendit.pipeline.management.reviewing import ReviewCommand
from sendit.pipeline.record.decisions import Decision


class Command(ReviewCommand):
    """Release images that a graylist withholds: they are delivered as the next part of their study."""

    decision = Decision.RELEASE

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--mask",
            metavar="X,Y,W,H",
            action="append",
            help="blank this rectangle of the images: left, top, width, height in pixels; may be given several times. "
            "`none` leaves all pixels as they are. Without it, what is proposed for an image is blanked.",
        )

    help = "Release images that a graylist withholds: they are delivered as the next part of their study."
