"""What whoever signs has to know of a project: how it is configured, and whether that is what was approved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sendit.pipeline.record.approvals import Approval, Subject, approval_of, was_approved_before
from sendit.projects.composition import Ports


@dataclass(frozen=True, slots=True)
class Standing:
    """A project as it is configured now."""

    subject: Subject
    recipe: str
    facts: tuple[tuple[str, str], ...]
    """What it does beside its recipe, in words."""
    approval: Approval | None
    was_approved_before: bool
    is_required: bool

    @property
    def words(self) -> str:
        """Return whether it is approved, in a sentence."""
        if self.approval is not None:
            at = f"{self.approval.at:%Y-%m-%d %H:%M}"
            return f"Approved by {self.approval.by}, {at} UTC (request {self.approval.request})."
        changed = "Not approved: it or its recipe was changed since it was approved."
        said = changed if self.was_approved_before else "Not approved."
        return f"{said} No batch is processed until it is." if self.is_required else said


def standing(ports: Ports) -> Standing:
    """Return how a project stands. Raises Misconfigured where its recipe cannot be read."""
    project = ports.project
    subject = Subject(project.name, project.fingerprint, ports.recipe.sha256)
    return Standing(
        subject,
        ports.recipe.name,
        tuple(_facts(ports)),
        approval_of(subject),
        was_approved_before(project.name),
        ports.site.require_approval,
    )


def _facts(ports: Ports) -> Iterator[tuple[str, str]]:
    project, site, recipe = ports.project, ports.site, ports.recipe
    yield "title", project.title or project.name
    yield "profile", str(recipe.profile) if recipe.profile else "none of PS3.15"
    yield "pixels", "text is looked for, and blanked where it is found" if recipe.cleans_pixels else "go as they are"
    yield "pseudonyms", f"by the key `{project.key}`, from {project.identity_service}"
    if not site.anonymize_restful:
        yield "dates", f"shifted by 1 to {project.max_date_shift_days} days, all of a patient alike"
    yield "archives go to", ", ".join(choice.name for choice in project.stores)
    yield "collection", project.collection
    yield "originals", "deleted by clean_up" if site.originals == "delete" else "kept"
    yield "identifiers", "purged by clean_up" if site.identifiers == "purge" else "kept, encrypted"
