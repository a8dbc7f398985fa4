"""`release`: delivers images that a graylist withheld after all."""

from __future__ import annotations

from sendit.pipeline.management.reviewing import ReviewCommand
from sendit.pipeline.record.decisions import Decision


class Command(ReviewCommand):
    """Release images that a graylist withholds: they are delivered as the next part of their study."""

    decision = Decision.RELEASE
    help = "Release images that a graylist withholds: they are delivered as the next part of their study."
