"""No core dumps: a dump of a process that holds identifiers would be a copy of them that nobody looks after."""

from __future__ import annotations

import ctypes
import resource

PR_SET_DUMPABLE = 4
"""prctl(2). Cleared, it also keeps other processes of the same user from reading this one's memory."""


def forbid() -> None:
    """In this process and in those that it forks; one that it starts has to forbid them itself."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
