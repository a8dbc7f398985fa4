"""`reject`: keeps images that a graylist withheld out for good."""

from __future__ import annotations

from sendit.pipeline.management.reviewing import ReviewCommand
from sendit.pipeline.record.decisions import Decision


class Command(ReviewCommand):
    """Reject images that a graylist withholds: they stay withheld, also when the batch is processed again."""

    decision = Decision.REJECT
    help = "Reject images that a graylist withholds: they stay withheld, also when the batch is processed again."
