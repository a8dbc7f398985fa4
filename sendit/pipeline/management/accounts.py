"""Who runs a command, as the operating system knows it."""

from __future__ import annotations

import os

from sendit.confirmations.filing import Account


def account() -> Account:
    """Return the account of this process, and the one behind sudo."""
    return Account.of_process(os.environ)
