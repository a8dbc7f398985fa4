"""The folders that are being filled, and what is left of them. What identifies is encrypted, and goes in the end."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from sendit.ground.phi_field import PhiField


class Landing(models.Model):
    """A folder of ours below a data folder, for as long as it has its temporary name.

    It is recorded before it is made, so the next start knows it after any crash, and touches no other copier's folder.
    """

    folder = PhiField()
    """`{"path", "study", "target"}`: where it is, its Study Instance UID ("" if it holds no study but images on their
    way), and the name that it is about to be renamed to ("" before that)."""
    opened_at = models.DateTimeField(default=timezone.now)
    evidence = models.CharField(max_length=16, default="")
    """What made it complete; set together with the target."""

    def __str__(self) -> str:
        return f"landing {self.pk}"


class Arrival(models.Model):
    """A folder that was handed over: its keyed digest, and what made it complete. It holds nothing that identifies."""

    folder_digest = models.CharField(max_length=64, unique=True)
    study_digest = models.CharField(max_length=64, db_index=True)
    evidence = models.CharField(max_length=16)
    images = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"arrival {self.pk}"


class ReceivedInstance(models.Model):
    """An image of a folder that was handed over, by the keyed digest of its SOP Instance UID, for later commitments."""

    digest = models.CharField(max_length=64, db_index=True)
    arrival = models.ForeignKey(Arrival, on_delete=models.CASCADE, related_name="instances")

    def __str__(self) -> str:
        return f"instance {self.pk}"


class Commitment(models.Model):
    """A storage commitment request whose result the peer has not confirmed yet. Its row goes when it has."""

    peer = models.CharField(max_length=64)
    """The peer's name in the peers file."""
    request = PhiField()
    """`{"transaction", "instances"}`: the Transaction UID, and SOP Class and Instance UID of each image named."""
    asked_at = models.DateTimeField(default=timezone.now)
    not_before = models.DateTimeField(default=timezone.now, db_index=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    def __str__(self) -> str:
        return f"commitment {self.pk}"


class RetrievalState(models.TextChoices):
    """What became of a line of a cohort."""

    WAITING = "waiting"
    RETRIEVED = "retrieved"
    MISSING = "missing"
    INCOMPLETE = "incomplete"


class Retrieval(models.Model):
    """A line of a cohort that is wanted from a peer. What it names is deleted when it is retrieved."""

    peer = models.CharField(max_length=64)
    wanted_digest = models.CharField(max_length=64)
    wanted = PhiField()
    """`{"AccessionNumber": …}`, or `{"PatientID": …, "StudyDate": …}`; null once it is retrieved."""
    state = models.CharField(max_length=16, choices=RetrievalState.choices, default=RetrievalState.WAITING)
    studies = models.PositiveIntegerField(default=0)
    expected = models.PositiveIntegerField(default=0)
    received = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(name="one_retrieval_a_line", fields=["peer", "wanted_digest"])]

    def __str__(self) -> str:
        return f"retrieval {self.pk}"


class PullState(models.TextChoices):
    """Whether the listener works on a pull."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"


class Pull(models.Model):
    """A list of studies that a person wants from a peer; the listener retrieves them."""

    peer = models.CharField(max_length=64)
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField(default=timezone.now)
    hours = models.CharField(max_length=16, default="")
    """The hours of the day, as `retrieve --hours` takes them; blank is the whole day."""
    per_hour = models.FloatField(default=0)
    state = models.CharField(max_length=16, choices=PullState.choices, default=PullState.RUNNING, db_index=True)
    waits_for = models.CharField(max_length=64, default="")
    """Why nothing happens at the moment, or why it has stopped: a code of an error, or a word."""
    host = models.CharField(max_length=64, default="")
    held_until = models.DateTimeField(default=timezone.now)
    """Until then the listener of that host works on it, and no other does."""
    lines = models.ManyToManyField(Retrieval, related_name="pulls")

    def __str__(self) -> str:
        return f"pull {self.pk}"


class RetrievedStudy(models.Model):
    """A study that a retrieval has found, by the keyed digest of its UID, for the listener that receives its images."""

    study_digest = models.CharField(max_length=64, unique=True)
    expected = models.PositiveIntegerField()
    is_under_way = models.BooleanField(default=True)
    """Whether images may still come; then quiet time does not complete the study."""
    is_whole = models.BooleanField(default=False)
    """Whether the peer says that it has sent as many images as were expected."""
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"retrieved study {self.pk}"
