"""A corpus made, put through sendit, and every check of it made."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from itertools import islice

from pydicom import Dataset

from sendit.deid import Recipe
from sendit.deid.pseudonyms import WELL_KNOWN_UIDS
from tests.corpus.checks import Category, Path, Score, find, text_of, written
from tests.corpus.developed import DEVELOPED
from tests.corpus.disguises import disguise, encode, plant_content
from tests.corpus.expectations import CLASSES, expectations
from tests.corpus.gateway import Gateway, Output, without_filters
from tests.corpus.held_out import HELD_OUT
from tests.corpus.leaks import leaks
from tests.corpus.people import Secret
from tests.corpus.planting import plant
from tests.corpus.studies import Instance, Study, studies_of
from tests.corpus.wording import Wording
from tests.support.streams import read


def make(wording: Wording, seed: int, gateway: Gateway) -> Iterator[Study]:
    """The corpus' studies, each image planted and encoded."""
    draw = random.Random(f"{wording.name} {seed} planting")
    for study in studies_of(wording, seed):
        days = gateway.days_of(study.patient.patient_id)
        for number, instance in enumerate(study.instances):
            instance.name = f"{wording.name} {seed}, study {study.number} {instance.modality} {number}:"
            plant(instance, wording, draw, days)
            disguise(instance)
            if instance.modality[:2] in ("SR", "KO"):
                plant_content(instance)
            instance.data = encode(instance, wording.syntaxes[(number + study.number) % len(wording.syntaxes)], draw)
        yield study


class Examiner:
    """Makes the checks of study after study; what must be the same in all of them is remembered.

    `pairs` are the images before and after.
    """

    def __init__(self, gateway: Gateway) -> None:
        self.score = Score()
        self.pairs: list[tuple[Dataset, Dataset]] = []
        self._gateway = gateway
        self._pseudonyms: dict[str, str] = {}
        self._originals: dict[str, str] = {}
        self._patients: dict[str, str] = {}

    def examine(self, study: Study) -> None:
        """De-identify a study and make its checks."""
        days = self._gateway.days_of(study.patient.patient_id)
        outputs = self._gateway.study([instance.data for instance in study.instances])
        for instance, output in zip(study.instances, outputs, strict=True):
            if output.refused:
                self.score.note(Category.TAG_RETAINED, False, f"{instance.name} refused: {output.refused}")
                continue
            before, after = read(instance.data), read(output.data)
            self.pairs.append((before, after))
            self.score.take(instance.checks, after, instance.name)
            planted = {path for path in instance.planted if all(isinstance(step, int) for step in path)}
            self.score.take(expectations(before, planted, days), after, instance.name)
            self._patient(study, after, instance)
            self._uids(before, after, instance)
            self._leaks(study, output, instance, days)

    def _patient(self, study: Study, after: Dataset, instance: Instance) -> None:
        pseudonym = str(after.get("PatientID", ""))
        known = self._patients.setdefault(study.patient.patient_id, pseudonym)
        alone = list(self._patients.values()).count(known) == 1
        same = pseudonym == known != study.patient.patient_id and alone
        self.score.note(Category.PATIENT_ID_CONSISTENT, same, f"{instance.name} {pseudonym}")

    def _uids(self, before: Dataset, after: Dataset, instance: Instance) -> None:
        for path, original in uids_of(before):
            new = text_of(find(after, path))
            if new:
                known = self._pseudonyms.setdefault(original, new)
                back = self._originals.setdefault(new, original)
                self.score.note(
                    Category.UID_CONSISTENT, (known, back) == (new, original), f"{instance.name} {written(path)}"
                )

    def _leaks(self, study: Study, output: Output, instance: Instance, days: int) -> None:
        described = output.described
        assert described is not None
        secrets = [secret for secret in study.secrets if not _is_shifted_to(secret, instance, days)]
        for what, data in (("file", output.data), ("row", described.header_json.encode())):
            for secret, found in leaks(data, secrets):
                self.score.note(Category.NO_LEAK, not found, f"{instance.name} {what}: {secret}")


def _is_shifted_to(secret: Secret, instance: Instance, days: int) -> bool:
    """Whether a date of the image comes, by chance, to read like this one: 05.09.2014 like the ninth of May."""
    if secret.kind != "date":
        return False
    others = (date - timedelta(days=days) for date in _readings(secret.text))
    return any(
        found for _, found in leaks(instance.data, [Secret("date", other.strftime("%Y%m%d")) for other in others])
    )


def _readings(text: str) -> Iterator[datetime]:
    """What a date may be taken for: day and month in either order."""
    for form in ("%Y%m%d", "%Y%d%m"):
        with suppress(ValueError):
            yield datetime.strptime(text, form)


def uids_of(ds: Dataset, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """The UIDs of instances in a dataset, with their paths."""
    for element in ds:
        where = (*path, int(element.tag))
        if element.tag.is_private or int(element.tag) in CLASSES:
            continue
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                yield from uids_of(item, (*where, number))
        elif element.VR == "UI" and element.value and text_of(element) not in WELL_KNOWN_UIDS:
            yield where, text_of(element)


def examined(
    wording: Wording, recipe: Recipe, seed: int = 0, *, studies: int | None = None, proven: bool = True
) -> Examiner:
    """A corpus, or its first studies, under a recipe."""
    gateway = Gateway(recipe, proven=proven)
    examiner = Examiner(gateway)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, of values that were planted to be odd
        for study in islice(make(wording, seed, gateway), studies):
            examiner.examine(study)
    return examiner


@cache
def under_research(name: str) -> Examiner:
    """The corpus of that name under the research recipe, examined once."""
    (wording,) = (one for one in (DEVELOPED, HELD_OUT) if one.name == name)
    return examined(wording, without_filters("research"))
