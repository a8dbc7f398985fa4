"""Binds a project to its key and its name from its first batch on: another one would break its pseudonyms unnoticed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.utils import timezone

from sendit.errors import Misconfigured
from sendit.pipeline.record.site_models import ProjectBinding
from sendit.projects.composition import Ports, Projects, project_key
from sendit.projects.derived_keys import KeyKind, proof


def ensure_bound(ports: Ports, projects: Projects) -> None:
    """Bind a project that has no batch yet, and refuse one that is not as it was bound.

    Raises
    ------
    Misconfigured
        `BadProject`: it has another key, or it is another project under a new name.
    """
    project, now = ports.project, _binding(ports)
    bound = ProjectBinding.objects.filter(name=project.name).first()
    if bound is None:
        if earlier := _earlier_name(now, projects):
            raise _refusal(f"{project.name}: its batches are those of {earlier}; a name cannot change")
        bound, _ = ProjectBinding.objects.get_or_create(name=project.name, defaults=_values(now))
    if bound.proof != now.proof:
        raise _refusal(f"{project.name}: its key is not the one that its batches were made with")


def wrong(projects: Projects) -> Iterator[Misconfigured]:
    """What is wrong with the projects that have batches, without binding any."""
    known = {*projects.names, *projects.refused}
    for bound in ProjectBinding.objects.order_by("name"):
        if bound.name not in known:
            yield _refusal(f"{bound.name}: it has batches, and its file is gone; a name cannot change")
        elif bound.name in projects.names and bound.proof != _binding(projects.of(bound.name)).proof:
            yield _refusal(f"{bound.name}: its key is not the one that its batches were made with")


def _binding(ports: Ports) -> ProjectBinding:
    project = ports.project
    return ProjectBinding(
        name=project.name,
        proof=proof(project_key(ports.site, project)),
        kind=project.key.kind,
        identity_service=project.identity_service,
        identity_collection=project.identity.study,
    )


def _values(binding: ProjectBinding) -> dict[str, object]:
    names = ("proof", "kind", "identity_service", "identity_collection")
    return {name: getattr(binding, name) for name in names} | {"bound_at": timezone.now()}


def _earlier_name(now: ProjectBinding, projects: Projects) -> str:
    """The name of a project that is gone and asked the same identity service for the same collection."""
    if now.kind != KeyKind.OWN:
        return ""
    gone: Iterable[ProjectBinding] = ProjectBinding.objects.filter(
        kind=KeyKind.OWN, identity_service=now.identity_service, identity_collection=now.identity_collection
    ).exclude(name__in=[*projects.names, *projects.refused])
    return next((bound.name for bound in gone), "")


def _refusal(why: str) -> Misconfigured:
    return Misconfigured("BadProject", subject=why)
