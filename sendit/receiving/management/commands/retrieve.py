"""`retrieve`: fetches the studies of a list from a PACS."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.conf import settings

from sendit.errors import Misconfigured, ServiceDown
from sendit.ground import logs
from sendit.ground.commands import NEEDS_A_LOOK, DatabaseCommand, WrongUse
from sendit.ground.terminal import table
from sendit.projects.composition import Projects
from sendit.projects.project import DEFAULT
from sendit.projects.site import Site
from sendit.receiving.models import RetrievalState
from sendit.receiving.peers import Peer, Peers, peers_of
from sendit.receiving.presence import listener_pid_file
from sendit.receiving.retrieving import lines
from sendit.receiving.retrieving.cohort import read_cohort
from sendit.receiving.retrieving.hours import ALWAYS, Hours, Pace
from sendit.receiving.retrieving.runs import Run
from sendit.receiving.retrieving.sources import source_of


class Command(DatabaseCommand):
    """Fetch the studies of a list from a PACS; the listener makes folders of them."""

    help = (
        "Fetch the studies that a CSV file lists (AccessionNumber, or PatientID and StudyDate) from a PACS: it is "
        "queried, and sends them to the listener. Repeat the command to go on after any interruption."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("cohort", type=Path, help="a CSV file; its first line names the columns")
        parser.add_argument(
            "--from", dest="source", required=True, metavar="PEER", help="the PACS, by its name or AE title"
        )
        parser.add_argument("--project", default=DEFAULT, help="whose data folder the studies go to")
        parser.add_argument(
            "--hours", type=_hours, default=ALWAYS, metavar="20-6", help="only in these hours of the day"
        )
        parser.add_argument("--rate", type=float, default=0.0, metavar="N", help="at most so many studies an hour")

    def handle(self, *args: Any, cohort: Path, source: str, project: str, **options: Any) -> None:
        """Retrieve; exit code 1 if anything is missing or incomplete."""
        site: Site = settings.SITE
        wanted = read_cohort(cohort)
        peers = peers_of(site)
        peer = _peer(site, peers, source, project)
        if listener_pid_file(site.var).holder() is None:
            raise ServiceDown("ListenerDown")
        digests = lines.want(peer.name, wanted)
        run = Run(source_of(site, peers, peer), options["hours"], Pace(options["rate"]), self._say)
        with logs.written_to(sys.stderr, site.log_format):
            for line in lines.waiting(peer.name, digests):
                run.retrieve(line)
        self._show(lines.counts(peer.name, digests), len(digests))

    def _say(self, word: str) -> None:
        if word and word != getattr(self, "_said", ""):
            self.stderr.write(f"waits: {word}")
        self._said = word

    def _show(self, found: dict[str, int], total: int) -> None:
        rows = [("wanted", total), ("found", found["found"])]
        states = (RetrievalState.RETRIEVED, RetrievalState.MISSING, RetrievalState.INCOMPLETE)
        self.lines(table([*rows, *((state.value, found[state.value]) for state in states)]))
        if found[RetrievalState.RETRIEVED.value] < total:
            sys.exit(NEEDS_A_LOOK)


def _hours(text: str) -> Hours:
    try:
        return Hours.parse(text)
    except ValueError:
        raise ArgumentTypeError("hours are given as 20-6 or 19:30-06:15") from None


def _peer(site: Site, peers: Peers, source: str, project: str) -> Peer:
    """Return the peer that is retrieved from, whose studies land in a data folder of the project."""
    folders = {folder.path.resolve() for folder in Projects(site).of(project).project.data_folders}
    named = [peer for peer in peers.known if source in (peer.name, peer.calling)]
    if not named:
        raise WrongUse("The peers file has no such peer.")
    fitting = [peer for peer in named if peer.data_folder.resolve() in folders]
    if not fitting:
        raise WrongUse("What this peer sends does not land in a data folder of the project.")
    if fitting[0].retrieve_from is None:
        raise Misconfigured("BadPeers", subject=f"{fitting[0].name}: retrieve_from is missing")
    return fitting[0]
