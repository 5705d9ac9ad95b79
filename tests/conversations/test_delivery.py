"""A draft names the promises that its turn made, and what is too long for a chat goes there as a file."""

from __future__ import annotations

import pytest

from conversations.delivery import FILE, MOST_PIECES, Draft, Enclosure, begin
from core.message import Chat

CHAT = Chat("local", "here")
PARAGRAPHS = "\n\n".join(f"Paragraph {number}. " + "Words and more words. " * 40 for number in range(40))
CODE = "```python\n" + "print('a line of a long program')\n" * 1_000 + "```"


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
    assert (draft.reply_to, draft.turn_id) == (3, 1)
    assert [piece.text for piece in draft.pieces] == [named]


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize("text", [PARAGRAPHS, CODE, "x" * 60_000, "word " * 1_000_000])
def test_b4_what_takes_more_than_five_messages_is_its_beginning_and_a_file_with_all_of_it(text: str) -> None:
    draft = Draft(Chat("account:1", "5"), "answer", text, turn_id=1, tail="Promise #7.")
    beginning, file = draft.pieces
    whole = f"{text}\n\nPromise #7."
    assert draft.enclosed == Enclosure("answer.md", "text/markdown", len(whole), text=whole)
    assert (file.text, units(beginning.text) < 4_096) == ("", True)
    told, sentence, tail = beginning.text.rsplit("\n\n", 2)
    assert sentence == f"[This is the beginning of {len(whole):,} characters: the full text is in the file.]"
    assert tail == "Promise #7."
    assert len(told) > 1_000
    assert {entity.type for entity in beginning.entities} <= {"pre"}


def test_b4_five_messages_are_sent_as_they_are() -> None:
    text = "\n\n".join("x" * 4_000 for _ in range(MOST_PIECES))
    draft = Draft(Chat("account:1", "5"), "answer", text)
    assert (len(draft.pieces), draft.enclosed) == (MOST_PIECES, None)


def test_b4_the_local_page_shows_long_texts_whole() -> None:
    assert [piece.text for piece in Draft(CHAT, "answer", PARAGRAPHS).pieces] == [PARAGRAPHS]
    longest = Draft(CHAT, "answer", "word " * 100_000)
    assert longest.pieces[1].text == "[file answer.md, 500 KB]"


@pytest.mark.parametrize(
    ("front", "caption", "texts"),
    [
        ("account:1", "", [""]),
        ("account:1", "Here it *is*.", ["Here it is."]),
        ("account:1", "x" * 1_024, ["x" * 1_024]),
        ("account:1", "x" * 1_025, ["x" * 1_025, ""]),
        ("account:1", "\U0001f600" * 513, ["\U0001f600" * 513, ""]),
        ("local", "Here it is.", ["Here it is.", "[file a.csv, 9 bytes]"]),
    ],
)
def test_b11_a_caption_goes_with_its_file_as_far_as_it_fits(front: str, caption: str, texts: list[str]) -> None:
    draft = Draft(Chat(front, "5"), FILE, caption, file=Enclosure("a.csv", "text/csv", 9, key="k"))
    assert [piece.text for piece in draft.pieces] == texts


def test_b4_a_beginning_ends_where_a_line_does_and_closes_its_code() -> None:
    assert begin("a b " * 1_000, 4_000).endswith(
        "a b …\n\n[This is the beginning of 4,000 characters: the full text is in the file.]"
    )
    code = begin("See:\n\n~~~~\n" + "line of code\n" * 500 + "~~~~", 9)
    assert code.partition("\n\n[")[0].endswith("line of code\n~~~~")
