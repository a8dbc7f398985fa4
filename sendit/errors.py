"""The error tree, ordered by who has to act next. This module imports nothing of sendit.

    SenditError
    ├── DataFault        a person looks at the file: malformed, unsupported or unsafe input
    ├── Misconfigured    the operator: a recipe, a setting, a deployment
    ├── ServiceDown      nobody: sendit retries with backoff, because the service may come back
    ├── ServiceRefused   the operator: the service answered, and the answer is no
    └── BrokenPromise    us: a bug in sendit; the work stops

An error carries a code, a tag, a count and a subject; never a value, and never a path but one that the settings name.
The sentences that a person reads come from `CODES`, so no identifier can enter one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
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
        A number that belongs to the code's sentence: of elements, bytes or images.
    subject : str, optional
        The name of a setting, a recipe line, a port or a table: a word of the operator's, never a value from a file.
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
    """A file is malformed, unsupported or unsafe; a person has to look at it."""

    kind = "DataFault"


class Misconfigured(SenditError):
    """A recipe, a setting or a deployment is wrong; the operator has to correct it."""

    kind = "Misconfigured"


class ServiceDown(SenditError):
    """A service did not answer, or asked to wait; sendit retries with backoff."""

    kind = "ServiceDown"


class ServiceRefused(SenditError):
    """A service answered, and the answer is no; retrying does not help."""

    kind = "ServiceRefused"


class BrokenPromise(SenditError):
    """sendit itself has a bug; the work stops."""

    kind = "BrokenPromise"


EXIT_CODES = {"DataFault": 1, "Misconfigured": 2, "ServiceDown": 1, "ServiceRefused": 1, "BrokenPromise": 1}
"""The exit code of each kind: 1 when something needs a look, 2 for wrong use or a wrong deployment."""


def place_of(error: BaseException) -> str:
    """Return the last line of our own code that the error passed through, such as `pipeline/runner.py:87`."""
    package = Path(__file__).parent
    frames = [frame for frame in extract_tb(error.__traceback__) if package in Path(frame.filename).parents]
    return f"{Path(frames[-1].filename).relative_to(package)}:{frames[-1].lineno}" if frames else "elsewhere"


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` if a known word resembles one that is not known, else nothing."""
    close = get_close_matches(word, known, n=1, cutoff=0.7)
    return f"; did you mean {close[0]}?" if close else ""


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """What a code means (`what`) and what to do next (`then`), one sentence each, without values."""

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
        BadElement=("The header of an element is malformed.", "Repair or re-export the file."),
        BadSequence=("The lengths of a sequence's items are inconsistent.", "Repair or re-export the file."),
        TooDeep=("Sequences are nested more deeply than sendit allows.", "Inspect the file."),
        TooLarge=("A header is larger than the limit, or has more in it than an image may cost.", "Inspect the file."),
        DuplicateElement=("A tag occurs twice in one dataset.", "Repair or re-export the file."),
        BadDeflate=("The deflated dataset cannot be inflated within its limits.", "Re-export the file uncompressed."),
        FunctionFailed=("A function of the recipe raised an error.", "Look at the file, or correct the function."),
        UnknownTransferSyntax=("The transfer syntax is not supported.", "Export the study in a supported one."),
        UnknownCharacterSet=("The Specific Character Set is not supported.", "Repair the file's (0008,0005)."),
        MissingUID=(
            "The image lacks its SOP, Study or Series Instance UID.",
            "Export it again; if the recipe removes one of these UIDs, change the recipe.",
        ),
        NotEncodable=("A new value does not fit the file's character set or VR.", "Change the recipe's value."),
        ResidualIdentifier=("An identifier would have remained in the output.", "Extend the recipe for this tag."),
        BadPixelData=(
            "The pixel data is not a valid image of its transfer syntax, or has another size than the header says.",
            "Look at the file, or export it again, if possible uncompressed.",
        ),
        GeometryLost=(
            "De-identification would remove what gives the slices of a mosaic their positions.",
            "Use the Option Retain Safe Private; export the study again if its CSA header is damaged.",
        ),
        NotDelivered=("There is no de-identified image in the store.", "Deliver the batch first."),
        OriginalGone=(
            "The original no longer exists, or nobody knows any longer where it was.",
            "Nothing can be done: it was cleaned up or moved away.",
        ),
        NoPicture=(
            "The image has no pixels that can be shown.",
            "Look at it in another program; `sendit preview` shows its header.",
        ),
        TextInPixels=(
            "Text may be burned into the pixels, and it cannot be proven that none would be left.",
            "Look at the image; docs/pixels.md says when this happens, and `pip install 'sendit[pixels]'` may help.",
        ),
        MixedPatients=(
            "The folder holds more than one patient.",
            "Move it out of the data folder; `sendit sort` makes one folder per study of it.",
        ),
        MixedStudies=(
            "The folder holds more than one study.",
            "Move it out of the data folder; `sendit sort` makes one folder per study of it.",
        ),
        MissingPatientID=(
            "The Patient ID is blank.",
            "Repair or re-export the file; or let SENDIT_BLANK_PATIENT_ID say what stands in for it.",
        ),
        NothingReadable=("No file of the folder could be read as DICOM.", "Look at the folder, then retry."),
        ConflictingInstance=("Different files share one SOP Instance UID.", "Keep the right one, then retry."),
        ChangedInstance=(
            "An image of the same SOP Instance UID was delivered with other bytes.",
            "Look at both; to deliver the new one instead, use redeliver.",
        ),
        IdentifiersPurged=(
            "The study's identifiers were purged, and the image does not name the patient and the study itself.",
            "Put the study's first images back beside it, then retry.",
        ),
        DeliveryUnknown=(
            "An earlier version delivered part of the study, and its rows are not in the warehouse.",
            "Restore the warehouse, then retry.",
        ),
        StudyOnTheMove=("A worker has taken a batch of the study in the meantime.", "Run the command again."),
        LinkOutsideFolder=("A symbolic link leads out of the folder.", "Replace the link by the file itself."),
        NotAFile=("The entry is a pipe, a socket or a device.", "Move it out of the folder."),
        Unreadable=("The file or folder cannot be read.", "Correct its permissions or repair its disk, then retry."),
        NothingDelivered=("No image is left to deliver.", "Look at the errors of the batch's files, then retry."),
        OutputExists=("The output file exists already and has other content.", "Give another OUT, or --force."),
        FolderGone=("The folder no longer exists.", "Put it back, then retry."),
        FolderKeepsChanging=("The folder changed each time it was processed.", "Retry when it is complete."),
        FolderChangedAfterDelivery=(
            "The folder was changed after its delivery, and an earlier version of sendit left it alone.",
            "Wait: sendit takes up what is new by itself.",
        ),
        TooManyAttempts=("The worker died each time it took the batch.", "Inspect the folder, then retry."),
    ),
    **_codes(
        "Misconfigured",
        NotInitialised=(
            "This VAR has no keys, so it is not the one that you use, or it is new.",
            "Set SENDIT_VAR or SENDIT_CONFIG to the one that you use, or make a new one with `sendit init`.",
        ),
        UnknownSetting=("There is no such setting.", "Correct its name, or remove it."),
        UnknownProject=(
            "The batch belongs to a project that this site does not have.",
            "Configure the project, then retry.",
        ),
        BadProject=(
            "A project is configured wrongly, or differs from what its batches were made with.",
            "Correct what is named; docs/projects.md says what a project's file holds.",
        ),
        NoStore=(
            "No destination of the project gives archives back.",
            "Name a folder, a bucket or a host in STORE beside what takes images alone.",
        ),
        UnknownDestination=(
            "The project has no destination of that name any more.",
            "Name it in STORE again, or retry: then what waits for it is given up.",
        ),
        BadSetting=("A setting has an invalid value.", "Give it a value of the kind that is named."),
        MissingPackage=(
            "A package that a setting needs is not installed.",
            "Install it with pip or pipx, as it is named.",
        ),
        BadRecipe=("The recipe is invalid.", "Correct the line named."),
        UnknownRecipe=("There is no such recipe.", "Give the name of a shipped recipe, or a path."),
        PixelsAreNotCleaned=(
            "The setting named asks for clean pixels, and the recipe's PROFILE does not have Clean Pixel Data.",
            "Choose a recipe that has it, such as research, or unset the setting.",
        ),
        UnknownVariable=("The recipe uses a variable that is not defined.", "Define it or change the recipe."),
        UnknownFunction=("The recipe uses a function that is not registered.", "Register it or change the recipe."),
        BadKey=(
            "A key is missing, damaged or not the key that the data here were made with, or the database was emptied.",
            "Restore what is named from its backup; sendit replaces no key (docs/operations.md, “Keys”).",
        ),
        BadPublicKey=(
            "The file holds no public key of a site, or other keys beside it.",
            "Ask the site for what its `sendit public_key` prints.",
        ),
        CrosswalkOfAll=(
            "No pseudonym is named, and the site gives no crosswalk of all.",
            "Name the pseudonyms in a file, or set SENDIT_CROSSWALK_ALL.",
        ),
        NotApproved=(
            "The project is not approved as it is configured now, or its recipe has changed.",
            "File a request with `sendit approve`; when somebody has confirmed it on the page Requests, retry.",
        ),
        BadRecipient=(
            "The recipient's key is neither an age key nor an RSA key or certificate in PEM.",
            "Ask the recipient for a public key; age-keygen makes one.",
        ),
        NoSuchFolder=(
            "A data folder does not exist, or cannot be listed.",
            "Create it, or correct its permissions or the setting named.",
        ),
        FolderRefused=(
            "A folder that sendit writes to is missing or not writable.",
            "Create it for the user who runs sendit, or correct the setting named.",
        ),
        RolesCombined=(
            "One person with these roles would see a pseudonym beside a true time, and so the date shift.",
            "Add a role that sees accession numbers, or leave one of them out.",
        ),
        LastAdmin=("Nobody would be left who may add users.", "Make another user an admin first."),
        CannotListen=(
            "Another program uses the address, or this machine does not have it.",
            "Give another address and port.",
        ),
        WatcherRuns=("A watcher is already running.", "Stop it with `sendit stop_watcher` first."),
        WatcherStops=("The watcher is stopping and still puts batches back.", "Wait, or end the process named."),
        ListenerRuns=("A listener is already running.", "Stop it with `sendit stop_listener` first."),
        ListenerStops=("The listener is stopping and still ends associations.", "Wait, or end the process named."),
        ListenerFailed=("The listener did not start.", "Look at what it printed, or at its log."),
        PortTaken=(
            "Another program uses the address, or this host does not have it.",
            "Change the setting, or end the other program.",
        ),
        BadPeers=("The peers file is wrong.", "docs/dicom.md says what it holds; correct what is named."),
        BadCertificate=("A certificate or its key cannot be used.", "Correct the setting named, or the PEM file."),
        BadCohort=("The list of wanted studies is wrong.", "docs/dicom.md says what it holds; correct what is named."),
        WatcherFailed=("The watcher did not start.", "Run `sendit start_watcher --foreground` to see why."),
        ClientSecrets=(
            "The client-secrets file is missing, unreadable or incomplete.",
            "Correct the file that STANFORD_CLIENT_SECRETS names.",
        ),
        IdentityCredentials=(
            "The identity service accepts neither the access token nor the refresh token.",
            "Replace the file that STANFORD_CLIENT_SECRETS names by new client secrets, then retry.",
        ),
        NoCredentials=(
            "There are no credentials for Google Cloud, or they cannot be read.",
            "Set GOOGLE_APPLICATION_CREDENTIALS to their file.",
        ),
        MissingExtra=("A package that a setting needs is not installed.", "Install sendit with the extra named."),
        DatabaseNewer=(
            "A newer sendit has migrated the database.",
            "Run that version or a later one; to go back, restore a backup that was made before.",
        ),
        DatabaseDamaged=(
            "The database file is damaged, or is not a database.",
            "Stop sendit, look at the disk, and restore the file from a backup, as docs/operations.md says.",
        ),
        TableSchema=(
            "A column of a warehouse table does not have the type or mode that sendit needs.",
            "Rename the table, or choose another collection.",
        ),
        BadQuery=("The SQL statement cannot be run.", "Correct it; it may only read the warehouse's tables."),
    ),
    **_codes(
        "ServiceDown",
        NoSpace=("The disk is full.", "Free some space; work continues by itself."),
        NotVerified=(
            "The bytes that were read back differ from those that were written.",
            "Check the disk; work continues by itself.",
        ),
        Busy=("The server is still receiving too many other requests.", "Try again in a moment."),
        DatabaseDown=(
            "The database does not answer, is full, or refuses to write.",
            "Check it, its disk and its permissions; work continues by itself.",
        ),
        DatabaseOutdated=("The database lacks a migration.", "Run `sendit migrate`, or wait until it has run."),
        StudyBusy=(
            "Another batch of the same study is being processed.",
            "Wait: a worker takes the batch as soon as that one is done.",
        ),
        BrokerDown=("The broker does not answer, or is full.", "Check it; the work waits in the database."),
        StoreDown=(
            "The object store does not answer, or asks sendit to wait.",
            "Check it and the network; work continues by itself.",
        ),
        WarehouseDown=(
            "The warehouse does not answer, or asks sendit to wait.",
            "Check it and the network; work continues by itself.",
        ),
        DetectorDown=(
            "The process that looks for text in pixels died or did not answer.",
            "Check the memory of this machine; work continues by itself.",
        ),
        DiskRefused=("The operating system refused a file operation.", "Check the disk and the permissions."),
        IdentityDown=(
            "The identity service does not answer, or asks sendit to wait.",
            "Check it and the network; work continues by itself.",
        ),
        ListenerDown=("No listener runs that could take the images.", "`sendit start_listener`, then try again."),
        PacsDown=(
            "The PACS does not answer, or has no resources.",
            "Check it and the network; work continues by itself.",
        ),
        IdentityElsewhere=(
            "Something other than the identity service answered, such as a login page.",
            "Connect the VPN, or correct SENDIT_IDENTITY_URL; work continues by itself.",
        ),
        IdentityUntrusted=(
            "The identity service's certificate is not trusted.",
            "Renew it, or make this machine trust its authority; work continues by itself.",
        ),
    ),
    **_codes(
        "ServiceRefused",
        BadIdentityRequest=("An id to be replaced is blank, or a timestamp is invalid.", "Look at the batch's images."),
        PacsRefused=(
            "The PACS refused an association or a request.",
            "Ask its administrator to allow sendit's AE title, and storage, queries and retrievals.",
        ),
        UnknownTokens=("The token is unknown, expired or revoked.", "Renew it, or ask for new ones."),
        TokenReused=(
            "The refresh token was used before, so somebody has a copy; the client is revoked.",
            "Find out who, then `sendit identity_client renew`.",
        ),
        NoSuchCall=("The identity service has no such address.", "Correct SENDIT_IDENTITY_URL."),
        WrongMethod=("The identity service answers POST only.", "Correct the client."),
        NotJson=("The identity service accepts application/json only.", "Correct the client."),
        TooManyBytes=("The request is longer than the identity service accepts.", "Send fewer items at a time."),
        BadIdentityAnswer=(
            "The identity service's answer is invalid, at the key named.",
            "Tell the operator of the service, then retry.",
        ),
        IdentityRefused=(
            "The identity service refused the request, with the HTTP status given.",
            "Check SENDIT_SOM_STUDY and SENDIT_IDENTITY_URL, then retry.",
        ),
        NotRemovable=(
            "The destination removes nothing by itself.",
            "Remove the study there by its own means; docs/destinations.md says how a study is told.",
        ),
        Retained=(
            "The store must keep the object: a retention policy or a hold forbids its removal.",
            "Lift it, or wait until it ends; then run the command again.",
        ),
        ObjectConflict=(
            "The object store has another object of that name.",
            "Find out which of the two is right; `sendit withdraw` removes a delivery of this site.",
        ),
        NoSuchBucket=("There is no such bucket.", "Create it or correct the setting that names it, then retry."),
        AccessDenied=(
            "The credentials lack a permission.",
            "Grant the permissions that docs/destinations.md or docs/google.md lists for this destination, then retry.",
        ),
        HostKeyRefused=(
            "The host's key is not the one in known_hosts.",
            "Ask the host's operator for its key, and correct known_hosts.",
        ),
        CredentialsRefused=("The credentials are expired, revoked or invalid.", "Renew them, then retry."),
        RequestRefused=("A service refused a request.", "Look up the word named in the service's documentation."),
        LoadRefused=("The warehouse refused the rows.", "Look up the word named in the warehouse's documentation."),
        NoSuchObject=("The store has no such object, or it is too short.", "Look at the batch's delivery."),
    ),
    **_codes(
        "BrokenPromise",
        ArchiveSize=(
            "An image does not have the size that was announced.",
            "Report this as a bug; the image is withheld.",
        ),
        RowsValue=("A value does not fit its column in a warehouse table.", "Report this as a bug."),
        RowsFile=("A file does not hold rows of its warehouse table.", "Report this as a bug."),
        LoadName=("There is no such warehouse table, or a load id is not legal.", "Report this as a bug."),
        ObjectName=("A name in the object store is not legal.", "Report this as a bug."),
        ArchiveName=("A name in an archive contains a folder or occurs twice.", "Report this as a bug."),
        OutputUnreadable=("A de-identified image cannot be read back.", "Report this as a bug; the image is withheld."),
        UnexpectedFailure=("An unexpected error occurred.", "Report this as a bug with the place named."),
        WorkersDie=("Worker processes end before they finish anything.", "Look at sendit's log and the system's."),
        IllegalMove=("A batch was to change state in a way that the table does not allow.", "Report this as a bug."),
        BarePhi=("An identified value is not wrapped in Phi.", "Report this as a bug."),
        Unaccounted=("A file of a batch has no outcome, or two.", "Report this as a bug."),
        HistoryIsAppendOnly=("A row of the history was to be changed.", "Report this as a bug."),
        UnknownEvent=("An event or one of its fields is not in the table.", "Report this as a bug."),
    ),
}
