"""A real Chromium on pages that `sendit web` serves, and what it has to complain about."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from unittest.mock import patch

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import BrowserContext, Page, sync_playwright

from sendit.web import accounts
from sendit.web.models import User
from tests.support.site import Site

CHROMIUM = Path("/usr/bin/chromium")
PASSWORD = "a long enough phrase"
SECONDS = 60


@contextmanager
def served(site: Site) -> Iterator[str]:
    """Start `sendit web` on a free port; its address."""
    process = site.start("web", "--listen", "127.0.0.1:0")
    assert process.stdout
    address = re.findall(r"http://127\.0\.0\.1:\d+", process.stdout.readline())[0]
    for pipe in (process.stdout, process.stderr):  # a full one would stop the server
        assert pipe
        Thread(target=pipe.read, daemon=True).start()
    yield address


@contextmanager
def chromium(**options: Any) -> Iterator[BrowserContext]:
    """Start a browser with an empty profile."""
    assert CHROMIUM.exists(), "apt-get install chromium"
    # Playwright keeps an event loop in this thread, which Django takes for an asynchronous caller.
    with patch.dict(os.environ, DJANGO_ALLOW_ASYNC_UNSAFE="1"), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        context = browser.new_context(**options)
        context.set_default_timeout(SECONDS * 1000)
        yield context
        browser.close()


class Complaints:
    """What went wrong on a page: console errors, violations of the CSP, requests to other hosts, failed requests."""

    def __init__(self, page: Page, address: str) -> None:
        self.found: list[str] = []
        page.on("console", lambda said: said.type == "error" and self.found.append(f"console: {said.text}"))
        page.on("pageerror", lambda error: self.found.append(f"script: {error}"))
        page.on("request", lambda asked: asked.url.startswith(address) or self.found.append(f"outside: {asked.url}"))
        page.on("response", lambda got: got.status >= 400 and self.found.append(f"{got.status}: {got.url}"))


def inaccessible(page: Page) -> list[str]:
    """Return axe-core's serious and critical findings. The script comes in over the debugger, past the page's CSP."""
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    grave = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
    return [f"{one['id']}: {node['html'][:160]}" for one in grave for node in one["nodes"]]


def a_person(name: str, *roles: str) -> User:
    """A user with a password that a browser can type."""
    from sendit.web.roles import Role

    user = accounts.add(name, map(Role, roles))
    accounts.set_password(user, PASSWORD)
    return user


def sign_in(page: Page, address: str, name: str) -> None:
    """Sign in as a person does."""
    page.goto(f"{address}/sign-in")
    page.fill("[name=name]", name)
    page.fill("[name=password]", PASSWORD)
    page.click("button:has-text('Sign in')")
    page.wait_for_url(lambda url: "sign-in" not in url)
