"""The functions that a recipe calls by `deid_func:NAME`: what each makes of a value, and what `explain` says of it.

They are named as in the `deid` package, but keyed: the same value becomes the same pseudonym everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydicom.datadict import keyword_for_tag

from sendit.deid.identifiers.ages import OLDEST, cap_age
from sendit.deid.pseudonyms import Pseudonyms, shift_date, shift_datetime
from sendit.deid.recipe.outcomes import Treatment, TreatmentKind
from sendit.deid.stream import values

Options = Mapping[str, str]
_UID_ROOT = r"(0|[1-9]\d*)(\.(0|[1-9]\d*))*"
_PREFIX = _UID_ROOT + r"\."


@dataclass(frozen=True, slots=True)
class Original:
    """One value of an element, before a function changes it."""

    tag: int
    vr: str
    text: str


@dataclass(frozen=True, slots=True)
class DeidFunction:
    """One of the functions.

    Attributes
    ----------
    apply : callable
        The text that a value becomes.
    outcome : callable
        What `explain` says, given the options and the whole call as the recipe writes it.
    options : mapping of str to str
        The options' names, and the regular expression that each must match as a whole.
    """

    apply: Callable[[Pseudonyms, Original, Options], str]
    outcome: Callable[[Options, str], Treatment]
    options: Options


def shifted(text: str, vr: str, days: int) -> str:
    """A date or a date and time, shifted; empty if it is not understood, for no original date may stay."""
    if vr == "DA":
        return shift_date(text, days) or ""
    if vr == "DT":
        return _on_the_clock(shift_datetime(text, days) or "")
    return shift_date(text, days) or shift_datetime(text, days) or ""


def _on_the_clock(moment: str) -> str:
    """A date and time; the date alone where no clock shows that time: 24:00, 10:60, 10:11:99."""
    return moment if values.is_well_formed(moment, "DT") else moment[:8]


# ---------------------------------------------------------------------------------------------- ages and dates


def _capped(_pseudonyms: Pseudonyms, original: Original, options: Options) -> str:
    return cap_age(original.text, _limit(options))


def _capped_outcome(options: Options, _call: str) -> Treatment:
    limit = _limit(options)
    return Treatment(TreatmentKind.CAPPED, f"stays; of those above {limit} years {limit + 1:03d}Y")


def _limit(options: Options) -> int:
    return int(options.get("max", OLDEST))


def _jittered(_pseudonyms: Pseudonyms, original: Original, options: Options) -> str:
    days = int(options.get("days", 1)) + 365 * int(options.get("years", 0))
    return shifted(original.text, original.vr, days)


def _jitter_outcome(_options: Options, call: str) -> Treatment:
    return Treatment(TreatmentKind.SHIFTED, call)


# ---------------------------------------------------------------------------------------------- UIDs


def _pydicom_uuid(pseudonyms: Pseudonyms, original: Original, options: Options) -> str:
    return _under(options.get("prefix", "2.25."), pseudonyms, original.text)


def _dicom_uuid(pseudonyms: Pseudonyms, original: Original, options: Options) -> str:
    root = options.get("org_root", "2.25")
    return _under(f"{root}." if re.fullmatch(r"[\d.]+", root) else "2.25.", pseudonyms, original.text)


def _under(prefix: str, pseudonyms: Pseudonyms, original: str) -> str:
    uid = pseudonyms.uid(original)
    if prefix == "2.25." or uid == original:
        return uid
    return (prefix + str(pseudonyms.number("uid" + prefix, original)))[:64]


def _basic_uuid(pseudonyms: Pseudonyms, original: Original, _options: Options) -> str:
    number = pseudonyms.number(f"uuid/{original.tag:08X}", original.text)
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _suffix_uuid(pseudonyms: Pseudonyms, original: Original, options: Options) -> str:
    return f"{keyword_for_tag(original.tag).lower()}-{_basic_uuid(pseudonyms, original, options)}"


def _uid_outcome(_options: Options, _call: str) -> Treatment:
    return Treatment(TreatmentKind.UID, "a keyed pseudonym, the same wherever the same UID stood")


DEID_FUNCTIONS: Mapping[str, DeidFunction] = {
    "cap_age": DeidFunction(_capped, _capped_outcome, {"max": r"\d{1,3}"}),
    "jitter": DeidFunction(_jittered, _jitter_outcome, {"days": r"[+-]?\d+", "years": r"[+-]?\d+"}),
    "pydicom_uuid": DeidFunction(_pydicom_uuid, _uid_outcome, {"prefix": _PREFIX, "stable_remapping": "true"}),
    "dicom_uuid": DeidFunction(_dicom_uuid, _uid_outcome, {"org_root": _UID_ROOT}),
    "basic_uuid": DeidFunction(_basic_uuid, _uid_outcome, {}),
    "suffix_uuid": DeidFunction(_suffix_uuid, _uid_outcome, {}),
}
"""The functions by name."""
