"""Approvals: somebody asks that a project may deliver as it is configured now, and a privacy officer decides."""

from __future__ import annotations

from sendit.confirmations import filing
from sendit.confirmations.filing import Account, Decision
from sendit.confirmations.models import Kind, Request
from sendit.pipeline.record.approvals import Subject
from sendit.projects.composition import Ports, Projects


def subject_of(ports: Ports) -> Subject:
    """Return what would be approved. Raises Misconfigured where the recipe cannot be read."""
    return Subject(ports.project.name, ports.project.fingerprint, ports.recipe.sha256)


def file_approval(projects: Projects, project: str, account: Account, reason: str) -> Request:
    """Keep a request for an approval until another person decides. Raises Misconfigured."""
    ports = projects.of(project)
    about = {**subject_of(ports).about, "recipe": ports.recipe.name}
    return filing.file(Kind.APPROVAL, project, account, reason, {}, about)


def decide(request: int, actor: str, *, is_confirmed: bool) -> Decision:
    """Decide about an approval. It is of what the request names, whatever was changed since."""
    return filing.decide(
        request, actor, is_confirmed=is_confirmed, carry_out=_nothing_more, kinds=frozenset({Kind.APPROVAL})
    )


def _nothing_more(_: Request) -> None:
    """The decision is all there is to carry out."""
