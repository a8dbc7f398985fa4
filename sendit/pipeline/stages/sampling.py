"""Series of which a sample is looked at for text: the first, the middle and the last image, and all after a find."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sendit.deid.burned_in.record import PixelRecord
from sendit.deid.engine import Deidentifier
from sendit.deid.stream.part_ten import open_part_ten
from sendit.errors import DataFault
from sendit.pipeline.stages.importing import ImportedStudy, Seen
from sendit.pipeline.stages.work import Work


@dataclass(frozen=True, slots=True)
class Sampled:
    """A study whose samples were looked at: images that need no look have no task, and these records are known."""

    study: ImportedStudy
    records: Mapping[int, PixelRecord]
    """By the file's number, of the images of samples in which nothing was found."""


def look_at_samples(work: Work, study: ImportedStudy, deidentifier: Deidentifier) -> Sampled:
    """Look at a sample of each series that the recipe has sampled; where it has text, or a doubt, all have to be."""
    by_series = defaultdict[str, list[int]](list)
    for place, (seen, series) in enumerate(zip(study.seen, study.series, strict=True)):
        if seen.verdict.pixels is not None and seen.verdict.pixels.sampled:
            by_series[series].append(place)
    if not by_series:
        return Sampled(study, {})
    all_seen, records = list(study.seen), dict[int, PixelRecord]()
    for places in by_series.values():
        found = {study.numbers[place]: _look(work, study, deidentifier, place) for place in sample(places)}
        clean = {number: record for number, record in found.items() if record is not None}
        if len(clean) == len(found):
            records |= clean
            for place in places:
                all_seen[place] = _without_task(all_seen[place])
    return Sampled(replace(study, seen=tuple(all_seen)), records)


def sample(places: Sequence[int]) -> list[int]:
    """Return the first, the middle and the last."""
    return sorted({places[0], places[len(places) // 2], places[-1]})


def _look(work: Work, study: ImportedStudy, deidentifier: Deidentifier, place: int) -> PixelRecord | None:
    seen = study.seen[place]
    assert seen.verdict.pixels is not None
    work.lease.progress()
    try:
        part_ten = open_part_ten(work.open(study.numbers[place]))
        try:
            if seen.ensure_in(part_ten, study.names) is not seen.verdict:
                return None
            return deidentifier.look(part_ten, seen.verdict.pixels)
        finally:
            part_ten.source.close()
    except (DataFault, OSError):
        return None


def _without_task(seen: Seen) -> Seen:
    return replace(seen, verdict=replace(seen.verdict, pixels=None))
