"""Web pages by their address, and nothing else: what lies on private networks is not reached from here.

A name is looked up once, all its addresses must be public, and the connection goes to one of those: a name that changes
its mind between the look and the call gains nothing. Each redirection is looked at in the same way.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from core.attachment import tell_size
from core.edges import Edge, around, no_edge
from core.errors import NotAllowed, RequestError

if TYPE_CHECKING:
    import httpx

PORTS = frozenset({80, 443, 8080, 8443})
MOST_BYTES = 10_000_000
SECONDS = 20.0
REDIRECTIONS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; Valor)",
    "Accept": "text/html,application/xhtml+xml,text/plain;q=0.9,application/pdf;q=0.8,*/*;q=0.5",
    "Accept-Encoding": "identity",
}
PRIVATE = "{host} lies on a private network, which is not reached from here."
TRANSLATED = ip_address("64:ff9b::")  # the beginning of addresses that stand for IPv4 ones

Address = IPv4Address | IPv6Address
Lookup = Callable[[str, int], Awaitable[list[str]]]


async def look_up(host: str, port: int) -> list[str]:
    """The addresses of a host. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[4][0]) for place in found]


@dataclass(frozen=True, slots=True)
class Page:
    """What an address gave: `content` as UTF-8 where it is text."""

    url: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """Where one request goes: to `address`, in the name of the host that `url` names."""

    url: str
    host: str
    port: int
    address: str

    @property
    def headers(self) -> Mapping[str, str]:
        return {**HEADERS, "Host": urlsplit(self.url).netloc.rpartition("@")[2]}


@dataclass(frozen=True, slots=True)
class Pages:
    """Reads pages. `private_hosts` (`host` or `host:port`) may be reached wherever they lie."""

    private_hosts: frozenset[str] = frozenset()
    edge: Edge = field(default=no_edge, repr=False)
    lookup: Lookup = look_up

    async def fetch(self, url: str) -> Page:
        """Raises RequestError (NotAllowed for what must not be reached) with the reason, in one sentence."""
        import httpx

        try:
            async with asyncio.timeout(SECONDS), await asyncio.to_thread(_open) as client:
                for _ in range(REDIRECTIONS + 1):
                    answer = await self._ask(client, await self._target(url))
                    if isinstance(answer, Page):
                        return answer
                    url = answer
        except TimeoutError:
            raise RequestError(f"It did not answer within {SECONDS:.0f} seconds.") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise RequestError(f"It cannot be reached: {str(error) or type(error).__name__}.") from error
        raise RequestError("It sends on from page to page without end.")

    async def _target(self, url: str) -> Target:
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise RequestError("It is no address of a web page.") from None
        host = parts.hostname
        if parts.scheme not in {"http", "https"} or not host or parts.username is not None:
            raise RequestError("It is no address of a web page.")
        is_ours = not self.private_hosts.isdisjoint({host, f"{host}:{port}"})
        if port not in PORTS and not is_ours:
            raise NotAllowed(f"Port {port} is not reached from here.")
        addresses = await self.lookup(host, port)
        if not addresses or not (is_ours or all(is_public(address) for address in addresses)):
            raise NotAllowed(PRIVATE.format(host=host))
        return Target(url, host, port, addresses[0])

    async def _ask(self, client: httpx.AsyncClient, target: Target) -> Page | str:
        """The page, or where it is said to be."""
        place = f"[{target.address}]" if ":" in target.address else target.address
        at = urlsplit(target.url)._replace(netloc=f"{place}:{target.port}", fragment="").geturl()
        named = {"sni_hostname": target.host}
        with around(self.edge, "pages.fetch"):
            async with client.stream("GET", at, headers=target.headers, extensions=named) as answer:
                if answer.status_code in REDIRECTS and "location" in answer.headers:
                    return urljoin(target.url, answer.headers["location"])
                if not answer.is_success:
                    raise RequestError(f"It answers with HTTP {answer.status_code}.")
                return Page(target.url, _as_utf8(await _read(answer), answer.charset_encoding))


async def _read(answer: httpx.Response) -> bytes:
    """The whole answer, unpacked by nobody: what is packed tightly could be anything."""
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise RequestError("It is sent packed, which was not asked for.")
    content = bytearray()
    async for chunk in answer.aiter_raw():
        content += chunk
        if len(content) > MOST_BYTES:
            raise RequestError(f"It has more than {tell_size(MOST_BYTES)}.")
    return bytes(content)


def _as_utf8(content: bytes, encoding: str | None) -> bytes:
    if encoding is None or encoding.lower() in {"utf-8", "utf8"} or content.startswith(b"%PDF"):
        return content
    try:
        return content.decode(encoding, errors="replace").encode()
    except LookupError:
        return content


def is_public(text: str) -> bool:
    """Whether an address lies in the open Internet; one that stands for another is judged by that."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        for inner in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())):
            if inner is not None:
                return is_public(str(inner))
        if int(address) >> 32 == int(TRANSLATED) >> 32:
            return is_public(str(IPv4Address(int(address) & 0xFFFF_FFFF)))
    return address.is_global and not address.is_multicast


def _open() -> httpx.AsyncClient:
    """Takes a moment, for it reads the certificates. No proxy: behind one nobody can tell where a name leads."""
    import httpx

    return httpx.AsyncClient(timeout=SECONDS, trust_env=False, follow_redirects=False)
