"""What can be in the trail, in the terms of DICOM PS3.15 A.5: a table of acts with their codes.

Codes are those of PS3.16 CID 400 (Audit Event ID) and CID 401 (Audit Event Type Code), of the scheme DCM.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Action(StrEnum):
    """What was done, as PS3.15 A.5.1 codes it."""

    CREATE = "C"
    READ = "R"
    UPDATE = "U"
    DELETE = "D"
    EXECUTE = "E"


class Outcome(IntEnum):
    """How it ended, as PS3.15 A.5.1 codes it."""

    SUCCESS = 0
    MINOR_FAILURE = 4
    SERIOUS_FAILURE = 8


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept of the scheme DCM."""

    value: str
    meaning: str


APPLICATION = Code("110100", "Application Activity")
LOG_USED = Code("110101", "Audit Log Used")
ACCESSED = Code("110103", "DICOM Instances Accessed")
EXPORTED = Code("110106", "Export")
PROCEDURE = Code("110111", "Procedure Record")
QUERIED = Code("110112", "Query")
ALERT = Code("110113", "Security Alert")
AUTHENTICATION = Code("110114", "User Authentication")


@dataclass(frozen=True, slots=True)
class ActProperties:
    """An act's codes and its words for a person."""

    event: Code
    action: Action
    words: str
    type: Code | None = None


class Act(StrEnum):
    """What a person does that is kept."""

    SIGN_IN = "sign-in"
    SIGN_OUT = "sign-out"
    LIST = "list"
    SEARCH = "search"
    VIEW_BATCH = "view-batch"
    VIEW_ORIGINAL = "view-original"
    DOWNLOAD = "download"
    QUERY_WAREHOUSE = "query-warehouse"
    QUEUE = "queue"
    RETRY = "retry"
    RELEASE = "release"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    READMIT = "readmit"
    REDELIVER = "redeliver"
    PULL = "pull"
    PAUSE = "pause"
    RESUME = "resume"
    START_WATCHER = "start-watcher"
    STOP_WATCHER = "stop-watcher"
    START_LISTENER = "start-listener"
    STOP_LISTENER = "stop-listener"
    CHANGE_ROLES = "change-roles"
    CHANGE_USER = "change-user"
    CHANGE_TOKEN = "change-token"
    READ_AUDIT = "read-audit"
    CROSSWALK = "crosswalk"
    APPROVE = "approve"
    REFUSED = "refused"


TABLE: dict[Act, ActProperties] = {
    Act.SIGN_IN: ActProperties(AUTHENTICATION, Action.EXECUTE, "signed in", Code("110122", "Login")),
    Act.SIGN_OUT: ActProperties(AUTHENTICATION, Action.EXECUTE, "signed out", Code("110123", "Logout")),
    Act.LIST: ActProperties(QUERIED, Action.EXECUTE, "saw a list with accession numbers"),
    Act.SEARCH: ActProperties(QUERIED, Action.EXECUTE, "searched by accession number or pseudonym"),
    Act.VIEW_BATCH: ActProperties(ACCESSED, Action.READ, "saw the folder and file names of a batch"),
    Act.VIEW_ORIGINAL: ActProperties(ACCESSED, Action.READ, "saw an original image or its header"),
    Act.DOWNLOAD: ActProperties(EXPORTED, Action.READ, "downloaded"),
    Act.QUERY_WAREHOUSE: ActProperties(QUERIED, Action.EXECUTE, "asked the warehouse"),
    Act.QUEUE: ActProperties(PROCEDURE, Action.CREATE, "queued new folders"),
    Act.RETRY: ActProperties(PROCEDURE, Action.UPDATE, "retried"),
    Act.RELEASE: ActProperties(EXPORTED, Action.READ, "released images that were withheld"),
    Act.REJECT: ActProperties(PROCEDURE, Action.UPDATE, "rejected images that were withheld"),
    Act.WITHDRAW: ActProperties(PROCEDURE, Action.DELETE, "withdrew studies"),
    Act.READMIT: ActProperties(PROCEDURE, Action.UPDATE, "readmitted a study"),
    Act.REDELIVER: ActProperties(PROCEDURE, Action.UPDATE, "had studies made again"),
    Act.PULL: ActProperties(QUERIED, Action.EXECUTE, "asked for studies from a PACS"),
    Act.PAUSE: ActProperties(PROCEDURE, Action.UPDATE, "paused delivery"),
    Act.RESUME: ActProperties(PROCEDURE, Action.UPDATE, "resumed delivery"),
    Act.START_WATCHER: ActProperties(
        APPLICATION, Action.EXECUTE, "started the watcher", Code("110120", "Application Start")
    ),
    Act.STOP_WATCHER: ActProperties(
        APPLICATION, Action.EXECUTE, "stopped the watcher", Code("110121", "Application Stop")
    ),
    Act.START_LISTENER: ActProperties(
        APPLICATION, Action.EXECUTE, "started the listener", Code("110120", "Application Start")
    ),
    Act.STOP_LISTENER: ActProperties(
        APPLICATION, Action.EXECUTE, "stopped the listener", Code("110121", "Application Stop")
    ),
    Act.CHANGE_ROLES: ActProperties(
        ALERT, Action.EXECUTE, "changed the roles of a user", Code("110136", "Security Roles Changed")
    ),
    Act.CHANGE_USER: ActProperties(
        ALERT, Action.EXECUTE, "changed a user", Code("110137", "User security Attributes Changed")
    ),
    Act.CHANGE_TOKEN: ActProperties(
        ALERT, Action.EXECUTE, "changed a token of the API", Code("110137", "User security Attributes Changed")
    ),
    Act.READ_AUDIT: ActProperties(LOG_USED, Action.READ, "read the audit trail"),
    Act.CROSSWALK: ActProperties(EXPORTED, Action.READ, "decided about a crosswalk"),
    Act.APPROVE: ActProperties(PROCEDURE, Action.UPDATE, "decided about an approval"),
    Act.REFUSED: ActProperties(
        ALERT, Action.EXECUTE, "asked for what none of the roles may do", Code("110132", "Use of Restricted Function")
    ),
}
