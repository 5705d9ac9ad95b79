"""A draft names the promises that its turn made."""

from __future__ import annotations

import pytest

from conversations.delivery import Draft
from core.message import Chat

CHAT = Chat("local", "here")


@pytest.mark.parametrize(
    ("text", "promises", "named"),
    [
        ("I do it.", [], "I do it."),
        ("I do it.", [7], "I do it.\n\nPromise #7."),
        ("I do it, see #7.", [7], "I do it, see #7."),
        ("See #70.", [7, 8], "See #70.\n\nPromise #7 and #8."),
        ("See #7.", [7, 8], "See #7.\n\nPromise #8."),
    ],
)
def test_p1_an_answer_names_what_was_promised(text: str, promises: list[int], named: str) -> None:
    draft = Draft(CHAT, "answer", text, reply_to=3, turn_id=1).naming(promises)
    assert (draft.text, draft.reply_to, draft.turn_id) == (named, 3, 1)
    assert [piece.text for piece in draft.pieces] == [named]
