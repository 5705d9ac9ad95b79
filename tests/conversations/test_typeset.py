from __future__ import annotations

from conversations.delivery import Draft
from conversations.typeset import typeset
from core.message import Chat
from tests.conversations.stage import DM


def test_b4_the_local_page_gets_markdown_and_telegram_entities() -> None:
    assert [piece.text for piece in typeset("local", "**hi**")] == ["**hi**"]
    (piece,) = typeset("account:1", "**hi**")
    assert (piece.text, piece.entities[0].type) == ("hi", "bold")


def test_b2_a_text_that_shows_nothing_has_no_pieces() -> None:
    for chat in (DM, Chat("local", "page")):
        assert Draft(chat, "answer", " \n").pieces == ()
