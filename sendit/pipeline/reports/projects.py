"""The projects of a site as records: how each is configured, how many batches it has, what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from sendit.errors import Misconfigured
from sendit.pipeline.record import pauses, project_bindings
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.states import WAITING
from sendit.projects.composition import Ports, Projects
from sendit.projects.project_keys import KEYS


@dataclass(frozen=True, slots=True)
class Listed:
    """A project in a list; of one that is refused, or that only batches know, little is known."""

    name: str
    title: str = ""
    key: str = ""
    recipe: str = ""
    batches: int = 0
    refused: str = ""


def listed(projects: Projects) -> list[Listed]:
    """All projects, `default` first, then those that are refused, then those that only batches know."""
    counted = dict(Batch.objects.order_by().values_list("project").annotate(Count("id")))
    known = dict.fromkeys(projects.names, "") | {name: str(error) for name, error in projects.refused.items()}
    gone = {name: str(Misconfigured("UnknownProject", subject=name)) for name in sorted(counted.keys() - known.keys())}
    return [_listed(name, why, counted.get(name, 0), projects) for name, why in (known | gone).items()]


def _listed(name: str, refused: str, batches: int, projects: Projects) -> Listed:
    if refused:
        return Listed(name, batches=batches, refused=refused)
    project = projects.of(name).project
    return Listed(name, project.title, str(project.key), project.recipe, batches)


def project_of(batch: int) -> str | None:
    """The project of a batch; None where there is none of that key."""
    return Batch.objects.filter(pk=batch).values_list("project", flat=True).first()


@dataclass(frozen=True, slots=True)
class Held:
    """A project for which nothing is done, and how many of its batches wait for that."""

    name: str
    why: str
    batches: int


def held(projects: Projects) -> list[Held]:
    """The projects that are paused, or whose files are wrong."""
    refused = {name: str(error) for name, error in projects.refused.items()}
    paused = {name: f"paused until `sendit resume --project {name}`" for name in pauses.paused_projects()}
    return [
        Held(name, why, Batch.objects.filter(project=name, state__in=WAITING).count())
        for name, why in sorted((refused | paused).items())
    ]


def described(ports: Ports) -> dict[str, Any]:
    """What a project does, by the keys of its file, with its fingerprint and its batches by state."""
    project, site = ports.project, ports.site
    own = {
        "name": project.name,
        "title": project.title,
        "key": str(project.key),
        "identity_service": project.identity_service,
        "data_folders": [str(folder.path) for folder in project.data_folders],
        "called_ae_titles": list(project.routing.called),
        "calling_ae_titles": list(project.routing.calling),
        "takes": list(project.takes),
        "allow_list": project.allow_list,
        "opt_out": project.opt_out,
        "share": project.claims.share,
        "priority": project.claims.priority,
    }
    of_settings = {key: getattr(site, entry.setting.lower()) for key, entry in KEYS.items() if entry.setting}
    known = {key: own.get(key, of_settings.get(key)) for key in KEYS}
    states = Batch.objects.filter(project=project.name).order_by("state").values_list("state").annotate(Count("id"))
    return {**known, "fingerprint": project.fingerprint, "batches": dict(states)}


def wrong(projects: Projects) -> list[Misconfigured]:
    """What is wrong with the projects' files, or differs from what their batches were made with."""
    return [*projects.refused.values(), *project_bindings.wrong(projects)]
