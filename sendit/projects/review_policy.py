"""Which images a person must look at before they are delivered: the setting REVIEW of a site or of a project."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

FORM = "none, doubtful, sample N % or all"
_SAMPLE = re.compile(r"sample\s+(\d{1,3}(?:\.\d{1,4})?)\s*%")


class Reviewing(StrEnum):
    """Which images wait for a person."""

    NONE = "none"
    DOUBTFUL = "doubtful"
    SAMPLE = "sample"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class ReviewPolicy:
    """What waits for a person.

    Attributes
    ----------
    which : Reviewing
        `none`: what is doubtful is withheld. `doubtful`: it waits, and the rest is delivered. `sample` and `all`: it
        waits too, and so do these images of what would be delivered; the whole batch waits with them.
    percent : float
        How much of what would be delivered is a sample.
    """

    which: Reviewing = Reviewing.NONE
    percent: float = 0.0

    @classmethod
    def parse(cls, text: str) -> ReviewPolicy:
        """Read it as it is written. Raises ValueError."""
        said = " ".join(text.lower().split())
        sample = _SAMPLE.fullmatch(said)
        if sample is None:
            which = Reviewing(said)
            if which is Reviewing.SAMPLE:
                raise ValueError(text)
            return cls(which)
        percent = float(sample[1])
        if not 0 < percent <= 100:
            raise ValueError(text)
        return cls(Reviewing.SAMPLE, percent)

    def __str__(self) -> str:
        return f"sample {self.percent:g} %" if self.which is Reviewing.SAMPLE else self.which.value

    @property
    def rule(self) -> str:
        """Why an image waits that would be delivered."""
        return "sendit: each image is reviewed" if self.which is Reviewing.ALL else "sendit: sample for review"

    @property
    def keeps_doubtful(self) -> bool:
        """Whether images that a person must look at wait for one."""
        return self.which is not Reviewing.NONE

    @property
    def holds_back(self) -> bool:
        """Whether a batch waits until its images were looked at."""
        return self.which in (Reviewing.SAMPLE, Reviewing.ALL)

    def takes(self, instance_digest: bytes | None) -> bool:
        """Whether an image that would be delivered waits; one that is known by nothing does.

        The digest is keyed, so nobody who makes images knows which; the same image is always in the sample or never.
        """
        if self.which is not Reviewing.SAMPLE or instance_digest is None:
            return self.holds_back
        return int.from_bytes(instance_digest[:8], "big") < self.percent / 100 * 2**64


NO_REVIEW = ReviewPolicy()


def policy_text(text: str) -> str:
    """Return the setting's text in its usual form. Raises ValueError."""
    return str(ReviewPolicy.parse(text))
