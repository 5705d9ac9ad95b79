from __future__ import annotations

import pytest

from conversations.link import read_link


@pytest.mark.parametrize(
    ("text", "link"),
    [
        (" https://example.org/post?id=1\n", "https://example.org/post?id=1"),
        ("[Forwarded from Gus]\n> Where?\n> There?\nhttps://example.org", "https://example.org"),
        ("[Forwarded from Gus]\nPay: https://example.org", None),
        ("HTTP://EXAMPLE.ORG", "HTTP://EXAMPLE.ORG"),
        ("see https://example.org", None),
        ("https://example.org https://example.org", None),
        ("example.org", None),
        ("https://", None),
        ("", None),
    ],
)
def test_b10_a_link_is_one_address_and_nothing_else(text: str, link: str | None) -> None:
    assert read_link(text) == link
