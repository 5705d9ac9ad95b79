"""Whom a text names."""

from __future__ import annotations

import pytest

from core.message import Entity
from integrations.telegram.mentions import find_mentions


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@ValorBot hi", {"valorbot"}),
        ("hi, @valorbot!", {"valorbot"}),
        ("(@valorbot)", {"valorbot"}),
        ("@valorbot2", {"valorbot2"}),
        ("a@valorbot.com", set[str]()),
        ("https://x.y/@valorbot", set[str]()),
        ("@valorbotы", set[str]()),
        ("no one", set[str]()),
        ("@a @b_c1", {"b_c1"}),
    ],
)
def test_a4_by_exact_name(text: str, names: set[str]) -> None:
    assert find_mentions(text, ()).names == names


def test_a4_spans_are_characters_and_cut_the_mention_out() -> None:
    text = "😀😀 @valor and @anna"
    found = find_mentions(text, (Entity("mention", 5, 6),))
    assert found.names == {"valor", "anna"}
    assert [text[start : start + size] for start, size in found.spans] == ["@valor", "@anna"]


@pytest.mark.parametrize("kind", ["code", "pre", "url", "text_link"])
def test_a4_not_inside_what_is_marked_otherwise(kind: str) -> None:
    found = find_mentions("😀n @valor", (Entity(kind, 4, 6),))
    assert (found.names, found.unread) == (frozenset(), ((3, 6),))
    assert find_mentions("run @valor", (Entity("bold", 4, 6),)).names == {"valor"}


def test_a4_a_mention_without_username_is_an_id() -> None:
    found = find_mentions("😀 Valor", (Entity("text_mention", 3, 5, url="tg://user?id=7"),))
    assert (found.names, found.spans) == ({"7"}, ((2, 5),))
