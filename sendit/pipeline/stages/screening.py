"""What becomes of an image by its header: a filter withholds it, it waits for a person, or a reviewer has decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sendit.deid.burned_in.masks import drawn
from sendit.deid.burned_in.record import Box
from sendit.deid.recipe.screen import Verdict
from sendit.errors import DataFault
from sendit.pipeline.record import decisions, studies
from sendit.pipeline.record.decisions import Decided, Decision
from sendit.pipeline.stages.facts import Facts
from sendit.pipeline.stages.work import Work

GRAYLIST = "graylist"
MASKED = f"{decisions.REVIEWER}masked"
"""The rule of an image in which a reviewer had rectangles blanked."""


def is_doubtful(verdict: Verdict) -> bool:
    """Return whether a person may decide about the image: a graylist speaks of it, and no other filter withholds it."""
    return verdict.pixels is not None if verdict.passed else verdict.group.lower() == GRAYLIST


def withhold(work: Work, found: list[Facts]) -> list[Facts]:
    """Give the images that are not to be de-identified their outcome; return all, with the verdicts of reviewers."""
    decided = _decided(work, found) if work.has_decisions else {}
    return [_with_outcome(work, facts, decided.get(facts.number)) for facts in found]


def proposed(verdict: Verdict) -> list[list[int]]:
    """Return what a recipe's coordinates would blank in an image."""
    return [list(region.box) for region in verdict.coordinates if region.box is not None and not region.keep]


def _decided(work: Work, found: Iterable[Facts]) -> dict[int, Decided]:
    """What reviewers decided about the files, by their numbers."""
    files = dict(_files(work, _candidates(work, list(found))))
    known = decisions.of_all(work.batch.project, files.values())
    return {number: known[digest] for number, digest in files.items() if digest in known}


def _candidates(work: Work, found: list[Facts]) -> Iterator[Facts]:
    """Images about which something may have been decided. Decisions of earlier versions name no instance."""
    of_instance = {facts.number: studies.of_instance(facts.sop_instance_uid) for facts in found}
    known = decisions.about(work.batch.project, of_instance.values())
    for facts in found:
        if is_doubtful(facts.verdict) or (facts.passed and of_instance[facts.number] in known):
            yield facts


def _files(work: Work, candidates: Iterable[Facts]) -> Iterator[tuple[int, bytes]]:
    for facts in candidates:
        try:
            yield facts.number, work.review_digest(facts.number)
        except OSError:  # whoever opens it next says so
            continue


def _with_outcome(work: Work, facts: Facts, decided: Decided | None) -> Facts:
    if decided is not None:
        facts = replace(facts, verdict=_as_decided(decided), is_decided=True)
        if facts.passed:
            work.released[facts.number] = decided.actor
    if facts.passed:
        return facts
    if decided is None and work.review.keeps_doubtful and is_doubtful(facts.verdict):
        try:
            digest = work.review_digest(facts.number)
        except OSError:
            work.ledger.fail(facts.number, DataFault("Unreadable"), work.stage)
        else:
            work.ledger.review(facts.number, facts.verdict.rule, digest, proposed(facts.verdict))
    else:
        work.ledger.filter(facts.number, facts.verdict.rule)
    return facts


def _as_decided(decided: Decided) -> Verdict:
    """A released image passes with no other pixel changed than those that the reviewer had blanked."""
    if decided.decision is Decision.REJECT:
        return Verdict(False, decided.rule)
    if not decided.masks:
        return Verdict(True)
    return Verdict(True, pixels=drawn(MASKED, [Box(*box) for box in decided.masks]))
