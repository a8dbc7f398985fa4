"""`sendit web` as a process of its own: it listens, offers the first link, and serves pages with all their headers."""

from __future__ import annotations

import re
import urllib.request

from tests.support.site import Site


def test_it_says_where_the_pages_are_and_how_the_first_admin_gets_in(site: Site) -> None:
    process = site.start("web", "--listen", "127.0.0.1:0")
    assert process.stdout
    said = "".join(process.stdout.readline() for _ in range(3))
    (address,) = re.findall(r"The pages are at (http://127\.0\.0\.1:\d+)/", said)
    (link,) = re.findall(r"^  (http://\S+/welcome/\S+)$", said, re.M)
    with urllib.request.urlopen(link, timeout=30) as page:
        text, headers = page.read().decode(), page.headers
    assert link.startswith(address) and "You are the first here" in text
    assert headers["Content-Security-Policy"].startswith("default-src 'self'; ")
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "same-origin")
    assert (headers["X-Content-Type-Options"], headers["Server"]) == ("nosniff", None)
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
        with urllib.request.urlopen(address + path, timeout=30) as file:
            assert "immutable" in file.headers["Cache-Control"], path


def test_an_address_that_is_taken_is_said_in_one_line(site: Site) -> None:
    first = site.start("web", "--listen", "127.0.0.1:0")
    assert first.stdout
    (port,) = re.findall(r":(\d+)/", first.stdout.readline())
    second = site.run("web", "--listen", f"127.0.0.1:{port}")
    assert (second.returncode, second.stderr.count("\n")) == (2, 1)
    assert "CannotListen" in second.stderr
