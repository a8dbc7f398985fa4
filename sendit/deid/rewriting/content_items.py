"""Content items (PS3.3 10.2) whose concept alone decides about their value, whatever the rules say of the attribute."""

from __future__ import annotations

from sendit.deid.identifiers.ages import OLDEST
from sendit.deid.rewriting.actions import ActionKind, ElementAction
from sendit.deid.rewriting.place import DatasetPlace, ElementKey
from sendit.deid.standard.content import DUMMIES, IDENTIFYING_VALUES, NUMERIC, OTHER_NUMBERS, Concept


def action_for(concept: Concept, place: DatasetPlace, key: ElementKey) -> ElementAction | None:
    """What the concept of a content item decides about one of its elements; None where it decides nothing."""
    if key.tag in IDENTIFYING_VALUES.get(concept, ()):
        dummy = place.element(key.tag, key.vr, DUMMIES[key.tag])
        return key.by_value(lambda raw: dummy if raw else None)
    if concept is not Concept.AGE_IN_YEARS:
        return None
    if key.tag == NUMERIC:
        capped = place.element(key.tag, key.vr, str(OLDEST + 1))
        return key.by_value(lambda raw: capped if _is_old(raw) else None)
    return key.action(ActionKind.DROP) if key.tag in OTHER_NUMBERS else None


def _is_old(raw: bytes) -> bool:
    """Whether a DS value is a number of years that may not be told, or no number at all."""
    try:
        return not float(raw.strip(b" \0")) < OLDEST + 1
    except ValueError:
        return True
