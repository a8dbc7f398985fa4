"""What CLEAN leaves of a value, by its VR (PS3.15 E.3.5 to E.3.7)."""

from __future__ import annotations

from sendit.deid.identifiers.ages import cap_age
from sendit.deid.recipe.deid_functions import shifted
from sendit.deid.rewriting.attribute import Attribute
from sendit.deid.standard.content import CODES
from sendit.deid.stream import values


def cleaned(attribute: Attribute, raw: bytes, days: int | None) -> bytes:
    """What may stay of a value. Without a number of days to shift dates by, dates and times are removed."""
    match attribute.vr:
        case "DA" | "DT":
            return b"" if days is None else attribute.each(raw, lambda text: shifted(text, attribute.vr, days))
        case "UI":
            return attribute.pseudonym_uids(raw)
        case "AS":
            return attribute.each(raw, cap_age)
        case "TM":
            return b"" if days is None else raw
        case "PN" | "UR":
            return b""
        case vr if vr in values.CHARSET_VRS or vr in ("AE", "CS"):
            return _cleaned_text(attribute, raw, days)
        case vr:
            return b"" if vr in values.BYTES_VRS else raw  # a number stays


def _cleaned_text(attribute: Attribute, raw: bytes, days: int | None) -> bytes:
    cleaner = attribute.place.study.cleaner(days)
    clean = cleaner.clean_code if attribute.tag in CODES else cleaner.clean
    if attribute.vr in ("AE", "CS"):
        return attribute.rewritten_text(raw, cleaner.clean_term)
    return attribute.rewritten_text(raw, lambda text: values.shortened(clean(text), attribute.vr))
