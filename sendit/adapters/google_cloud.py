"""What Google's services share: credentials, time limits, and the mapping of their errors to ours, without messages.

Google's libraries come with the extra `google`; they are imported when a service is first used.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sendit.errors import Misconfigured, SenditError, ServiceDown, ServiceRefused

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.auth.credentials import Credentials

PASSING_REASONS = frozenset(
    {
        "backendError",
        "badGateway",
        "internalError",
        "jobBackendError",
        "jobInternalError",
        "jobRateLimitExceeded",
        "quotaExceeded",
        "rateLimitExceeded",
        "resourcesExceeded",
        "stopped",
        "timeout",
    }
)
"""Google's reasons for errors that may pass by themselves, whatever the HTTP status."""
PASSING_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a worker waits for a service before it puts the batch back.

    The sum stays far below `leases.STALL_SECONDS`, so the lease of a worker that only waits does not lapse.
    """

    connect_seconds: float = 10
    answer_seconds: float = 60
    """How long an open connection may be silent."""
    retry_seconds: float = 120
    """How long one request is repeated, with backoff."""
    first_wait_seconds: float = 1
    job_seconds: float = 300
    """How long a job of the warehouse may take."""

    @property
    def timeout(self) -> tuple[float, float]:
        """Return the limits for one request: for the connection, and between two bytes of the answer."""
        return (self.connect_seconds, self.answer_seconds)

    @property
    def terms(self) -> dict[str, Any]:
        """Return the keyword arguments that a call of Google's libraries takes."""
        return {"retry": self.retry(), "timeout": self.timeout}

    def retry(self) -> Retry:
        """Return a policy that repeats requests which may succeed later, with randomised exponential backoff."""
        from google.api_core.retry import Retry

        return Retry(
            predicate=may_pass,
            initial=self.first_wait_seconds,
            maximum=32 * self.first_wait_seconds,
            timeout=self.retry_seconds,
        )


def credentials(scope: str, anonymous: bool) -> tuple[Credentials, str]:
    """Return Application Default Credentials with only this scope, and the project that they name, if any.

    Raises
    ------
    Misconfigured
        `NoCredentials`: there are none, or their file cannot be read.
    """
    import google.auth
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import DefaultCredentialsError

    if anonymous:
        return AnonymousCredentials(), ""  # type: ignore[no-untyped-call]
    try:
        found, project = google.auth.default(scopes=[scope])
    except (DefaultCredentialsError, ValueError, OSError):
        raise Misconfigured("NoCredentials") from None
    return found, project or ""


# ---------------------------------------------------------------------------------------------- errors


@dataclass(frozen=True, slots=True)
class Service:
    """One service as its errors name it: the port's name, and the code for a service that does not answer."""

    name: str
    down: str


@contextmanager
def speaking_to(service: Service) -> Iterator[None]:
    """Turn exceptions of Google's libraries into our errors, without their messages, which quote URLs and rows.

    Raises
    ------
    Misconfigured
        `MissingExtra`: the libraries are not installed.
    ServiceDown
        The service's own code: the request may succeed later.
    ServiceRefused
        `AccessDenied`, `CredentialsRefused`, `RequestRefused`.
    """
    try:
        yield
    except ImportError as error:
        if not (error.name or "").startswith("google"):
            raise
        raise Misconfigured("MissingExtra", subject="google") from None
    except failures() as error:
        raise meaning(error, service) from None


def failures() -> tuple[type[Exception], ...]:
    """Return every exception class by which Google's libraries report a refusal or a broken connection."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.resumable_media import InvalidResponse

    return (GoogleAPIError, GoogleAuthError, InvalidResponse, *_broken_lines())


def meaning(error: Exception, service: Service) -> SenditError:
    from google.auth.exceptions import GoogleAuthError

    if may_pass(error):
        return ServiceDown(service.down)
    if isinstance(error, GoogleAuthError) or status_of(error) == http.client.UNAUTHORIZED:
        return ServiceRefused("CredentialsRefused", subject=service.name)
    if status_of(error) == http.client.FORBIDDEN:
        return ServiceRefused("AccessDenied", subject=service.name)
    return ServiceRefused("RequestRefused", subject=f"{service.name}, {status_of(error)} {reason_of(error)}".strip())


def may_pass(error: Exception) -> bool:
    """Return whether the same request may succeed later."""
    from google.api_core.exceptions import RetryError
    from google.auth.exceptions import RefreshError, TransportError
    from google.resumable_media import InvalidResponse

    if isinstance(error, RefreshError):
        return bool(error.retryable)
    if status_of(error) >= http.client.BAD_REQUEST:
        return status_of(error) in PASSING_STATUSES or reason_of(error) in PASSING_REASONS
    return isinstance(error, (RetryError, TransportError, InvalidResponse, *_broken_lines()))


def _broken_lines() -> tuple[type[Exception], ...]:
    from requests.exceptions import RequestException

    return (RequestException, http.client.HTTPException, ConnectionError, TimeoutError)


def status_of(error: Exception) -> int:
    """Return the HTTP status of the error, or 0 if there was no answer."""
    code = getattr(error, "code", None)
    if isinstance(code, int):
        return int(code)
    return int(getattr(getattr(error, "response", None), "status_code", 0))


def method_of(error: Exception) -> str:
    """Return the HTTP method of the refused request, or "" if it is unknown."""
    request = getattr(getattr(error, "response", None), "request", None)
    return str(getattr(request, "method", ""))


def reason_of(error: Exception) -> str:
    """Return Google's one-word reason, such as `rateLimitExceeded`, or "": longer text might quote a value."""
    details = getattr(error, "errors", None) or _answered(error)
    first = details[0] if isinstance(details, list | tuple) and details else {}
    reason = first.get("reason") if isinstance(first, dict) else None
    return reason if isinstance(reason, str) and reason.isalpha() else ""


def _answered(error: Exception) -> Any:
    """Return `error.errors` of the answer's JSON, if it has it."""
    try:
        return error.response.json()["error"]["errors"]  # type: ignore[attr-defined]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
