"""Which studies somebody means by an accession number or a pseudonym: found by asking for the pseudonym again, so that
it does not matter whether the identifiers were purged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sendit.phi import Phi
from sendit.pipeline.record.models import Batch, Study
from sendit.pipeline.stages import lists
from sendit.pipeline.stages.lists import Column
from sendit.ports import IdentityItem, IdentityRequest
from sendit.projects.composition import Ports, Projects


@dataclass(frozen=True, slots=True)
class Meant:
    """The studies, and the batches of no study yet, that a line names."""

    studies: tuple[int, ...]
    batches: tuple[int, ...]


def meant_by_line(line: Phi[str], projects: Projects) -> Meant:
    """What is meant by a study's or a patient's pseudonym, a folder's name, or an accession number.

    Where the identity service is asked for patients too, the line has the Patient ID behind the accession number and a
    tabulator.
    """
    text, _, patient = line.reveal().strip().partition("\t")
    named = Batch.objects.for_uid(text)
    studies = {key for key in named.values_list("study", flat=True) if key is not None}
    studies |= set(Study.objects.filter(item_suid=text).values_list("pk", flat=True))
    studies |= set(Study.objects.filter(entity_suid=text).values_list("pk", flat=True))
    for name in projects.names:
        studies |= set(_asked(projects.of(name), text, patient.strip()))
    return Meant(tuple(sorted(studies)), tuple(named.filter(study__isnull=True).values_list("pk", flat=True)))


def studies_of_line(line: Phi[str], ports: Ports) -> tuple[int, ...]:
    """The studies of one project that an accession number or a folder's name means."""
    text, _, patient = line.reveal().strip().partition("\t")
    named = Batch.objects.for_uid(text).filter(project=ports.project.name, study__isnull=False)
    keys = named.values_list("study", flat=True)
    return tuple(sorted({key for key in keys if key is not None} | set(_asked(ports, text, patient.strip()))))


def _asked(ports: Ports, accession: str, patient: str) -> Iterator[int]:
    """The local service knows a study by its accession number alone; another one is asked about known patients only."""
    if not patient and ports.site.anonymize_restful:
        return
    names = ports.project.identity
    items = (IdentityItem(Phi(accession), names.item_source),)
    asked = Phi(patient.replace("-", "") or accession)
    request = IdentityRequest(names.study, asked, names.entity_source, items=items)
    suid = ports.identity_service.identify(request).items[0].suid
    found = Study.objects.filter(project=ports.project.name, item_suid=suid)
    yield from found.values_list("pk", flat=True)


def of_opted_out(projects: Projects) -> Iterator[int]:
    """The studies of the patients who opted out, as far as they are not withdrawn yet."""
    for name in projects.names:
        ports, found = projects.of(name), set[int]()
        for column, text in lists.who_opted_out(ports):
            found |= set(_of_patient(ports, text) if column is Column.PATIENT else _asked(ports, text.reveal(), ""))
        yield from _not_withdrawn(found)


def _of_patient(ports: Ports, patient: Phi[str]) -> Iterator[int]:
    names = ports.project.identity
    request = IdentityRequest(names.study, Phi(patient.reveal().replace("-", "").strip()), names.entity_source)
    suid = ports.identity_service.identify(request).entity.suid
    yield from Study.objects.filter(project=ports.project.name, entity_suid=suid).values_list("pk", flat=True)


def _not_withdrawn(keys: set[int]) -> list[int]:
    found = Study.objects.filter(pk__in=keys, withdrawn_at__isnull=True)
    return list(found.order_by("pk").values_list("pk", flat=True))
