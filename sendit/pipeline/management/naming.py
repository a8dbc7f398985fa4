"""How an operator names a batch on the command line."""

from __future__ import annotations

from collections.abc import Sequence

from sendit.ground.commands import WrongUse
from sendit.pipeline.record.models import Batch


def named(identities: Sequence[str]) -> list[Batch]:
    """The batches that an operator names, by primary key, by the folder's name, or by the study's pseudonym, which is
    what a row of the warehouse has; each once, in the order given.

    An accession number may look like a primary key: where both fit different batches, `pk:` or `uid:` says which.
    """
    found: dict[int, Batch] = {}
    for place, identity in enumerate(identities, 1):
        batches = {batch.pk: batch for batch in _meant_by(identity)}
        if not batches:
            raise WrongUse(f"No batch has the ID given as number {place}.")
        if len(batches) > 1:
            keys = ", ".join(f"pk:{key}" for key in sorted(batches))
            raise WrongUse(f"The ID given as number {place} fits several batches; say one of {keys}.")
        found.update(batches)
    return list(found.values())


def _meant_by(identity: str) -> list[Batch]:
    kind, colon, rest = identity.partition(":")
    if not colon or kind not in ("pk", "uid"):
        kind, rest = "", identity
    is_key = kind != "uid" and rest.isascii() and rest.isdigit() and len(rest) < 19
    by_key = Batch.objects.filter(pk=int(rest)) if is_key else Batch.objects.none()
    by_uid = Batch.objects.for_uid(rest) if kind != "pk" else Batch.objects.none()
    return [*by_key, *by_uid] or list(Batch.objects.filter(item_suid=identity).exclude(item_suid=""))
