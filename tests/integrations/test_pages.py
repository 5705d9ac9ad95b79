"""Web pages over real HTTP, and the private networks that stay out of reach."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from core.errors import NotAllowed, RequestError
from integrations import pages
from integrations.pages import Page, Pages, is_public
from tests.world.http_server import Response
from tests.world.web import HELLO, WebWorld


@pytest.fixture
async def web() -> AsyncIterator[WebWorld]:
    async with WebWorld() as web:
        yield web


@pytest.fixture
def open_pages(web: WebWorld) -> Pages:
    return Pages(frozenset({web.address}))


async def test_b10_a_page_is_read_by_its_address(web: WebWorld, open_pages: Pages) -> None:
    assert await open_pages.fetch(f"{web.url}/#part") == Page(f"{web.url}/#part", HELLO.body)
    (request,) = web.requests
    assert (request.path, request.headers["host"], request.headers["accept-encoding"]) == ("/", web.address, "identity")


async def test_b10_redirections_are_followed_and_each_is_looked_at(web: WebWorld, open_pages: Pages) -> None:
    web.pages["/old"] = Response(301, headers=(("location", "/"),))
    web.pages["/loop"] = Response(302, headers=(("location", "/loop"),))
    web.pages["/inside"] = Response(307, headers=(("location", "http://127.0.0.1:1/secret"),))
    web.pages["/file"] = Response(307, headers=(("location", "file:///etc/passwd"),))
    assert (await open_pages.fetch(f"{web.url}/old")).url == f"{web.url}/"
    with pytest.raises(RequestError, match="without end"):
        await open_pages.fetch(f"{web.url}/loop")
    with pytest.raises(NotAllowed, match="Port 1 is not reached"):
        await open_pages.fetch(f"{web.url}/inside")
    with pytest.raises(RequestError, match="no address of a web page"):
        await open_pages.fetch(f"{web.url}/file")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1/", "127.0.0.1 lies on a private network"),
        ("http://[::1]/", "::1 lies on a private network"),
        ("http://2130706433/", "private network"),
        ("http://10.0.0.1:8080/", "private network"),
        ("http://169.254.169.254/latest/meta-data", "private network"),
        ("http://127.0.0.1:9000/health", "Port 9000 is not reached"),
        ("http://user:pass@example.org/", "no address"),
        ("http://example.org:99999/", "no address"),
        ("ftp://example.org/", "no address"),
        ("http:///path", "no address"),
    ],
)
async def test_b10_what_is_private_is_not_reached(url: str, reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        await Pages().fetch(url)


async def test_b10_a_name_is_looked_up_once_and_all_its_addresses_count(web: WebWorld) -> None:
    port = int(web.address.partition(":")[2])
    looks: list[str] = []

    async def lookup(host: str, port: int) -> list[str]:
        looks.append(host)
        return {"mixed.test": ["93.184.216.34", "127.0.0.1"], "wiki.test": ["127.0.0.1"]}.get(host, [])

    guarded = Pages(frozenset({f"wiki.test:{port}"}), lookup=lookup)
    with pytest.raises(NotAllowed, match=r"mixed\.test lies on a private network"):
        await guarded.fetch("http://mixed.test/")
    assert (await guarded.fetch(f"http://wiki.test:{port}/")).content == HELLO.body
    assert (looks, web.requests[0].headers["host"]) == (["mixed.test", "wiki.test"], f"wiki.test:{port}")
    with pytest.raises(NotAllowed):
        await guarded.fetch("http://nowhere.test/")


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Response(500), "It answers with HTTP 500."),
        (Response(200, b"x", headers=(("content-encoding", "gzip"),)), "sent packed"),
        (Response(200, bytes(2_000)), "more than 1 KB"),
        (Response(200, b"x", declared=9), "cannot be reached"),
    ],
)
async def test_b10_what_cannot_be_read_says_why(
    web: WebWorld, open_pages: Pages, response: Response, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MOST_BYTES", 1_000)
    web.pages["/odd"] = response
    with pytest.raises(RequestError, match=reason):
        await open_pages.fetch(f"{web.url}/odd")


async def test_b10_a_server_that_is_silent_or_absent_is_given_up(
    web: WebWorld, open_pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RequestError, match="cannot be reached"):
        await replace(open_pages, private_hosts=frozenset({"127.0.0.1"})).fetch("http://127.0.0.1:9/")
    monkeypatch.setattr(pages, "SECONDS", 0.0)
    with pytest.raises(RequestError, match="did not answer within 0 seconds"):
        await open_pages.fetch(web.url)


async def test_b10_text_comes_as_utf8_whatever_it_was(web: WebWorld, open_pages: Pages) -> None:
    web.pages["/latin"] = Response(200, "größer".encode("latin-1"), "text/html; charset=iso-8859-1")
    web.pages["/strange"] = Response(200, b"plain", "text/html; charset=klingon")
    assert (await open_pages.fetch(f"{web.url}/latin")).content.decode() == "größer"
    assert (await open_pages.fetch(f"{web.url}/strange")).content == b"plain"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::", True),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", True),
    ],
)
def test_b10_addresses_that_stand_for_others_are_judged_by_those(address: str, public: bool) -> None:
    assert is_public(address) is public
