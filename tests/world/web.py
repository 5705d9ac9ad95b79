"""A web server on loopback: pages by path, and what it was asked.

async with WebWorld() as web:
    web.pages["/a"] = html("A title", "What it says.")
    ...                                     # LINK_PRIVATE_HOSTS=web.address, or it is not reached
"""

from __future__ import annotations

from tests.world.http_server import HttpWorld, Request, Response

HELLO = Response(200, b"<html>hello</html>", "text/html")


class WebWorld(HttpWorld):
    """404 wherever nothing was put."""

    def __init__(self) -> None:
        super().__init__(self._answer_with_page)
        self.pages: dict[str, Response] = {"/": HELLO}

    async def _answer_with_page(self, request: Request) -> Response:
        return self.pages.get(request.path, Response(404))


def html(title: str, text: str) -> Response:
    page = f"<!doctype html><html><head><title>{title}</title></head><body><p>{text}</p></body></html>"
    return Response(200, page.encode(), "text/html; charset=utf-8")
