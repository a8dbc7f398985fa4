"""The error tree, by whose move is next. Imports nothing of sendit.

    SenditError
    ├── DataFault        a person looks at the file: malformed, unsupported or unsafe input
    ├── Misconfigured    the operator: a recipe, a setting, a deployment
    ├── ServiceDown      nobody: retry with backoff, the service may come back
    ├── ServiceRefused   stop and tell: the service answered, and the answer is no
    └── BrokenPromise    us: a bug; stop the line

An error carries a code, a tag and a count; never a value and never a path. The sentence a person reads comes from
`CODES`, so no identifier can enter one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import ClassVar


class SenditError(Exception):
    """Base of the tree; raise one of its five children.

    Parameters
    ----------
    code : str
        A key of `CODES` whose kind is this class.
    tag : int, optional
        The Data Element Tag concerned, as 0xGGGGEEEE.
    count : int, optional
        How many: elements, bytes, images; what the code's sentence says.
    subject : str, optional
        The name of a setting, a recipe line, a port or a table: the operator's own word, never a value from a file.
    """

    kind: ClassVar[str] = "SenditError"

    def __init__(
        self, code: str, *, tag: int | None = None, count: int | None = None, subject: str | None = None
    ) -> None:
        if code not in CODES or CODES[code].kind != self.kind:
            raise LookupError(f"{code} is not a {self.kind} code")
        self.code, self.tag, self.count, self.subject = code, tag, count, subject
        super().__init__(code)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.code, self.tag, self.count, self.subject))

    def __str__(self) -> str:
        entry = CODES[self.code]
        where = f" at ({self.tag >> 16:04X},{self.tag & 0xFFFF:04X})" if self.tag is not None else ""
        many = f" [{self.count}]" if self.count is not None else ""
        about = f" ({self.subject})" if self.subject else ""
        return f"{self.code}{where}{about}{many}: {entry.what} {entry.then}"


def _rebuild(cls: type[SenditError], code: str, tag: int | None, count: int | None, subject: str | None) -> SenditError:
    return cls(code, tag=tag, count=count, subject=subject)


class DataFault(SenditError):
    """A file is malformed, unsupported or unsafe; a person looks at it."""

    kind = "DataFault"


class Misconfigured(SenditError):
    """A recipe, a setting or a deployment is wrong; the operator's move."""

    kind = "Misconfigured"


class ServiceDown(SenditError):
    """A service did not answer, or asked to wait; try again with backoff."""

    kind = "ServiceDown"


class ServiceRefused(SenditError):
    """A service answered, and the answer is no; stop and tell."""

    kind = "ServiceRefused"


class BrokenPromise(SenditError):
    """sendit itself is wrong; stop the line."""

    kind = "BrokenPromise"


EXIT_CODES = {"DataFault": 1, "Misconfigured": 2, "ServiceDown": 1, "ServiceRefused": 1, "BrokenPromise": 1}
"""What the shell is told, by kind: 1 something needs a look, 2 wrong use or a deployment that is wrong."""


def place_of(error: BaseException) -> str:
    """`pipeline/runner.py:87`: the last line of our own code that the error passed through; it quotes nothing."""
    package = Path(__file__).parent
    frames = [frame for frame in extract_tb(error.__traceback__) if package in Path(frame.filename).parents]
    return f"{Path(frames[-1].filename).relative_to(package)}:{frames[-1].lineno}" if frames else "elsewhere"


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """What a code means (`what`) and what to do next (`then`), one sentence each, without any value."""

    kind: str
    what: str
    then: str


def _codes(kind: str, **entries: tuple[str, str]) -> dict[str, ErrorCode]:
    return {code: ErrorCode(kind, *sentences) for code, sentences in entries.items()}


CODES: dict[str, ErrorCode] = {
    **_codes(
        "DataFault",
        NotAnImage=("The bytes are not one image of an archive.", "Take offset and length from the table instance."),
        NotDicom=("The file is not DICOM.", "Move it out of the folder, or export the study again."),
        EmptyFile=("The file has no bytes.", "Export it again."),
        Truncated=("The file ends in the middle of an element.", "Export it again."),
        BadElement=("An element's header cannot be understood.", "Repair or re-export the file."),
        BadSequence=("A sequence's items do not add up.", "Repair or re-export the file."),
        TooDeep=("Sequences are nested deeper than any sane file.", "Look at the file by hand."),
        TooLarge=("A header is larger than the limit.", "Look at the file by hand."),
        DuplicateElement=("A tag stands twice in one dataset.", "Repair or re-export the file."),
        BadDeflate=("The deflated dataset cannot be inflated within its limits.", "Re-export the file uncompressed."),
        FunctionFailed=("A function of the recipe raised an error on it.", "Look at the file, or mend the function."),
        UnknownTransferSyntax=("The transfer syntax is not supported.", "Export the study in a supported one."),
        UnknownCharacterSet=("The Specific Character Set is not supported.", "Repair the file's (0008,0005)."),
        MissingUID=(
            "The image does not say which one it is, or of which study or series.",
            "Export it again; a recipe must leave it its SOP, Study and Series Instance UID, or pseudonyms of them.",
        ),
        NotEncodable=("A new value does not fit the file's character set or VR.", "Change the recipe's value."),
        ResidualIdentifier=("An identifier would have remained in the output.", "Extend the recipe for this tag."),
        BadPixelData=(
            "The pixel data is no image that its transfer syntax allows, or an image of another size.",
            "Look at the file, or export it again; decompressing it may do.",
        ),
        GeometryLost=(
            "The slices of a mosaic could not be put in their places any more.",
            "Retain Safe Private keeps what places them; export the study again if its CSA header is damaged.",
        ),
        MixedPatients=("The folder holds more than one patient.", "Split it into one folder per study, then retry."),
        MixedStudies=("The folder holds more than one study.", "Split it into one folder per study, then retry."),
        MissingPatientID=("The Patient ID is blank.", "Repair or re-export the file."),
        NothingReadable=("No file of the folder could be read as DICOM.", "Look at the folder, then retry."),
        ConflictingInstance=("Different files share one SOP Instance UID.", "Keep the right one, then retry."),
        LinkOutsideFolder=("A symbolic link leads out of the folder.", "Replace it by the file itself."),
        NotAFile=("It is a pipe, a socket or a device.", "Move it out of the folder."),
        Unreadable=("The file may not be or cannot be read.", "Mend its permissions or its disk, then retry."),
        NothingDelivered=("No image is left to deliver.", "Look at the errors of its files, then retry."),
        OutputExists=("Other bytes stand where the output belongs.", "Give another OUT, or --force."),
        FolderGone=("The folder is not there any more.", "Put it back, then retry."),
        FolderKeepsChanging=("The folder was written to whenever it was processed.", "Retry when it is finished."),
        FolderChangedAfterDelivery=(
            "The folder was changed after its delivery.",
            "Take the study back and deliver it anew, as docs/folders.md says.",
        ),
        TooManyAttempts=("The worker died each time it took the batch.", "Look at the folder by hand, then retry."),
    ),
    **_codes(
        "Misconfigured",
        UnknownSetting=("There is no such setting.", "Mend or remove the variable named."),
        UnknownProject=(
            "The batch is of a project that this site does not have.",
            "Configure the project, then retry.",
        ),
        BadSetting=("A setting makes no sense.", "Give it a value of the form named."),
        MissingPackage=("A package that a setting needs is not installed.", "Install the extra named, with pip."),
        BadRecipe=("The recipe cannot be understood.", "Mend the line named."),
        UnknownRecipe=("There is no such recipe.", "Give a shipped recipe's name or a path."),
        UnknownVariable=("The recipe asks for a variable that is not defined.", "Define it or change the recipe."),
        UnknownFunction=("The recipe asks for a function that is not registered.", "Register it or change the recipe."),
        BadKey=(
            "A key is missing, damaged or not the one that the data here were made with, or the database was emptied.",
            "Restore what is named from its backup; sendit replaces no key (docs/operations.md, “Keys”).",
        ),
        NoSuchFolder=(
            "A data folder does not exist, or may not be listed.",
            "Make it, mend its permissions, or mend the setting named.",
        ),
        FolderRefused=(
            "A folder that sendit keeps things in may not be used.",
            "Make it for the user who runs sendit, or mend the setting named.",
        ),
        WatcherRuns=("A watcher runs already.", "Stop it with `sendit stop_watcher` first."),
        WatcherStops=("The watcher is asked to stop and still puts batches back.", "Wait, or end the process named."),
        WatcherFailed=("The watcher did not start.", "Run `sendit start_watcher --foreground` to see why."),
        ClientSecrets=(
            "The client-secrets file is missing, unreadable or not complete.",
            "Mend the file that STANFORD_CLIENT_SECRETS names.",
        ),
        IdentityCredentials=(
            "The identity service takes neither the access token nor the refresh token.",
            "Put new client secrets in place of the file that STANFORD_CLIENT_SECRETS names, then retry.",
        ),
        NoCredentials=(
            "There are no credentials for Google Cloud, or they cannot be read.",
            "Set GOOGLE_APPLICATION_CREDENTIALS to their file.",
        ),
        MissingExtra=("A package that a setting needs is not installed.", "Install sendit with the extra named."),
        DatabaseDamaged=(
            "The database's file is damaged, or no database.",
            "Stop sendit, look at the disk, and restore the file from a backup, as docs/operations.md says.",
        ),
        TableSchema=("A column of a warehouse table has another type or form.", "Rename the table, or the collection."),
        BadQuery=("The SQL statement cannot be run.", "Mend it; it may only read the warehouse's tables."),
    ),
    **_codes(
        "ServiceDown",
        NoSpace=("There is no space left.", "Free some; the work is taken up again."),
        NotVerified=("What was read back is not what was written.", "Look at the disk; the work is taken up again."),
        DatabaseDown=(
            "The database does not answer, is full, or may not be written.",
            "Look at it, its disk and its permissions; work is taken up again.",
        ),
        DatabaseOutdated=("The database lacks a migration.", "Run `sendit migrate`, or wait for who runs it."),
        BrokerDown=("The broker does not answer, or is full.", "Look at it; the work waits in the database meanwhile."),
        StoreDown=(
            "The object store does not answer, or asks to wait.",
            "Look at it and at the network; the work is taken up again.",
        ),
        WarehouseDown=(
            "The warehouse does not answer, or asks to wait.",
            "Look at it and at the network; the work is taken up again.",
        ),
        DiskRefused=("The operating system refused a file operation.", "Look at the disk and its permissions."),
        IdentityDown=(
            "The identity service does not answer, or asks to wait.",
            "Look at it and at the network; the work is taken up again.",
        ),
        IdentityElsewhere=(
            "Something else answered in the identity service's place, such as a login page.",
            "Connect the VPN, or mend SENDIT_IDENTITY_URL; the work is taken up again.",
        ),
        IdentityUntrusted=(
            "The identity service's certificate is not trusted.",
            "Renew it, or make its authority known to this machine; the work is taken up again.",
        ),
    ),
    **_codes(
        "ServiceRefused",
        BadIdentityRequest=("An id to be replaced is blank, or a timestamp is none.", "Look at the batch's images."),
        UnknownTokens=("The token is nobody's, or has expired or been revoked.", "Renew it, or ask for new ones."),
        TokenReused=(
            "The refresh token was used before, so somebody has a copy; the client is revoked.",
            "Find out who, then `sendit identity_client renew`.",
        ),
        NoSuchCall=("The identity service has no such address.", "Mend SENDIT_IDENTITY_URL."),
        WrongMethod=("The identity service's calls are POST.", "Mend the client."),
        NotJson=("The identity service takes application/json alone.", "Mend the client."),
        TooManyBytes=("The question is longer than the identity service takes.", "Ask in parts of fewer items."),
        BadIdentityAnswer=(
            "The identity service's answer is not as it must be, at the key named.",
            "Tell who runs the service, then retry.",
        ),
        IdentityRefused=(
            "The identity service said no, with the HTTP status given.",
            "Look at SENDIT_SOM_STUDY and SENDIT_IDENTITY_URL, then retry.",
        ),
        ObjectConflict=(
            "Other bytes stand under the object's name.",
            "Find out which of the two is right; docs/folders.md says how to take a study back.",
        ),
        NoSuchBucket=("There is no such bucket.", "Make it or mend the setting that names it, then retry."),
        AccessDenied=("The credentials lack a permission.", "Grant the roles of docs/google.md, then retry."),
        CredentialsRefused=("The credentials are expired, revoked or wrong.", "Renew them, then retry."),
        RequestRefused=("A service refused a request.", "Look up the word named in the service's documentation."),
        LoadRefused=("The warehouse refused the rows.", "Look up the word named in the warehouse's documentation."),
        NoSuchObject=("The store has no such object, or it is shorter.", "Look at the batch's delivery."),
    ),
    **_codes(
        "BrokenPromise",
        ArchiveSize=("An image has not the size that it said.", "Report this as a bug; the image is withheld."),
        RowsValue=("A value does not fit its column in a warehouse table.", "Report this as a bug."),
        RowsFile=("A file does not hold rows of its warehouse table.", "Report this as a bug."),
        LoadName=("There is no such warehouse table, or a load id is not legal.", "Report this as a bug."),
        ObjectName=("A name in the object store is not legal.", "Report this as a bug."),
        ArchiveName=("A name in an archive is not flat or stands twice.", "Report this as a bug."),
        OutputUnreadable=("A de-identified image does not re-read.", "Report this as a bug; the image is withheld."),
        UnexpectedFailure=("Something failed that nobody expected.", "Report this as a bug with the place named."),
        WorkersDie=("Worker processes end before they finish anything.", "Look at the log, and at the system's."),
        IllegalMove=("A batch was to make a move that is not in the table.", "Report this as a bug."),
        BarePhi=("An identified value came without its wrapper.", "Report this as a bug."),
        Unaccounted=("A file of a batch has no outcome, or two.", "Report this as a bug."),
        HistoryIsAppendOnly=("History was to be changed.", "Report this as a bug."),
        UnknownEvent=("An event is not in the table, or carries a field that is not.", "Report this as a bug."),
    ),
}
