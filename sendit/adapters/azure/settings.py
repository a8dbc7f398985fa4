"""Where archives go in Azure Blob Storage, as a URL says it: `az://account/container/prefix?endpoint=https://…`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from sendit.errors import Misconfigured

SCHEME = "az"
FORM = "az://account/container[/prefix][?key_file=/…&endpoint=https://…]"
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_CONTAINER = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/?)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureContainer:
    """Archives go into a container; `named_by` is the setting that an error names.

    `key_file` holds the account's key or a shared access signature. Without it the credentials are those that Azure's
    tools find: a managed identity, a service principal, a person who has signed in.
    """

    account: str
    container: str
    prefix: str = ""
    key_file: str = ""
    endpoint: str = ""
    name: str = ""
    named_by: str = ""

    @property
    def url(self) -> str:
        """The address of the account's blobs."""
        return self.endpoint or f"https://{self.account}.blob.core.windows.net"


def parse(url: str, named_by: str) -> AzureContainer:
    """Return what the URL says.

    Raises
    ------
    Misconfigured
        `BadSetting`: it is not of the form `FORM`.
    """
    parts = urlsplit(url)
    container, _, prefix = parts.path.strip("/").partition("/")
    options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    endpoint = options.get("endpoint", "")
    is_right = (
        parts.scheme == SCHEME
        and _ACCOUNT.fullmatch(parts.netloc)
        and _CONTAINER.fullmatch(container)
        and _PREFIX.fullmatch(prefix)
        and set(options) <= {"endpoint", "key_file"}
        and ("key_file" not in options or options["key_file"].startswith("/"))
        and ("endpoint" not in options or urlsplit(endpoint).scheme in ("http", "https"))
    )
    if not is_right:
        raise Misconfigured("BadSetting", subject=f"{named_by}: {FORM}")
    host = f"@{urlsplit(endpoint).netloc.rpartition('@')[2]}" if endpoint else ""
    return AzureContainer(
        account=parts.netloc,
        container=container,
        prefix=f"{prefix}/" if prefix else "",
        key_file=options.get("key_file", ""),
        endpoint=endpoint.rstrip("/"),
        name=f"{SCHEME}://{'/'.join(filter(None, (parts.netloc, container, prefix)))}{host}",
        named_by=named_by,
    )
