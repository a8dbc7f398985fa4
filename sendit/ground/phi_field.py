"""A model field for what identifies a person: encrypted at rest, a `Phi` in Python, without a voice anywhere.

Keys stand in SECRETS/identifiers.key, one a line: the first encrypts, all decrypt. To rotate, put a new key on top.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

from sendit.errors import BrokenPromise
from sendit.keys import KeyFile, load_known, refusal
from sendit.phi import Phi

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    _TextField = models.TextField[Phi[Any], Phi[Any]]
else:
    _TextField = models.TextField


# Django makes a field's values when it reads or writes a row, and nobody can hand it a key then: so this module asks
# for the site's settings.


def cipher() -> MultiFernet:
    """The cipher that the identifiers' keys make."""
    return _cipher(settings.SITE.secrets_folder)


@cache
def _cipher(folder: Path) -> MultiFernet:
    return MultiFernet([Fernet(line) for line in load_known(folder, KeyFile.IDENTIFIERS, settings.SITE.var)])


def digest(original: bytes) -> str:
    """A keyed digest to look an identifier up by; without the key it says nothing, not even to a list of all MRNs."""
    return hmac.new(_key_of_site(), original, hashlib.sha256).hexdigest()


def short_digest(original: bytes) -> bytes:
    """The same in 16 bytes, for what is kept of every image."""
    return hmac.digest(_key_of_site(), original, "sha256")[:16]


def _key_of_site() -> bytes:
    site = settings.SITE
    return _digest_key(site.secrets, site.var)


@cache
def _digest_key(secrets: str, var: Path) -> bytes:
    """The key, by the settings that say where it is: making their path would cost as much as a digest."""
    return load_known(settings.SITE.secrets_folder, KeyFile.DIGEST, var)[0]


class PhiField(_TextField):
    """JSON, encrypted; reads and takes a `Phi` of anything that JSON can say."""

    description = "Encrypted JSON"

    def from_db_value(self, token: str | None, expression: object, connection: BaseDatabaseWrapper) -> Phi[Any]:
        """The value that a token holds, None where there is no token; Misconfigured where no key fits."""
        if token is None:
            return Phi(None)
        try:
            return Phi(json.loads(cipher().decrypt(token.encode())))
        except InvalidToken:
            raise refusal(KeyFile.IDENTIFIERS, "no line decrypts what is kept") from None

    def get_prep_value(self, value: Any) -> str:
        """The token of a `Phi`; anything else did not come through the door."""
        if not isinstance(value, Phi):
            raise BrokenPromise("BarePhi", subject=self.name)
        return cipher().encrypt(json.dumps(value.reveal(), separators=(",", ":")).encode()).decode()

    def to_python(self, value: Any) -> Any:
        """As it is: only the database holds tokens."""
        return value

    def value_to_string(self, obj: models.Model) -> str:
        """What a serializer (dumpdata) sees: the token."""
        return self.get_prep_value(self.value_from_object(obj))
