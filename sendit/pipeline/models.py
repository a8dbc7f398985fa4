"""Django looks for an app's models here; they are in `record`."""

from sendit.pipeline.record.models import Batch, BatchIdentifiers, Event, Image
from sendit.pipeline.record.site_models import Totals

__all__ = ["Batch", "BatchIdentifiers", "Event", "Image", "Totals"]
