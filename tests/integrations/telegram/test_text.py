"""Markdown becomes pieces that Telegram shows as they were handed over."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from core.message import Entity, Piece
from integrations.telegram.offsets import Offsets
from integrations.telegram.text import LIMIT, clean, is_visible, split, typeset
from tests.world.telegram import text as telegram
from tests.world.telegram.model import Entity as WorldEntity

WORDS = st.text(alphabet="ab \n\t😀é*_`[](){}<>|$#~-1.\u200d\u2028\x00", max_size=60)
FENCES = st.builds("```{}\n{}\n```".format, st.sampled_from(["", "python"]), st.text("xy \n😀", max_size=80))
MARKDOWN = st.lists(st.one_of(WORDS, FENCES), max_size=6).map("\n".join)


def letters(text: str) -> list[str]:
    return [character for character in text if character.isalpha() and is_visible(character)]


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def check(pieces: list[Piece], limit: int) -> None:
    for piece in pieces:
        size = units(piece.text)
        assert 0 < size <= limit
        assert is_visible(piece.text)
        assert all(0 <= e.offset < e.offset + e.length <= size for e in piece.entities)
        given_entities = tuple(WorldEntity(e.type, e.offset, e.length) for e in piece.entities)
        assert telegram.accept(piece.text, given_entities)[0] == piece.text


@settings(deadline=None, max_examples=150)
@given(MARKDOWN, st.sampled_from([20, 50, LIMIT]))
def test_b4_nothing_is_lost_and_every_piece_fits(markdown: str, limit: int) -> None:
    pieces = typeset(markdown, limit)
    check(pieces, limit)
    whole = typeset(markdown, 10**6)
    assert letters("".join(piece.text for piece in pieces)) == letters("".join(piece.text for piece in whole))
    shown = letters("".join(piece.text + "".join(e.language or "" for e in piece.entities) for piece in whole))
    assert len(shown) >= len(letters(clean(markdown).replace("```python", "")))


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=80), st.integers(4, 40))
def test_plain_text_is_split_without_loss(text: str, limit: int) -> None:
    text = clean(text)
    pieces = split(text, [], limit)
    check(pieces, limit)
    assert letters("".join(piece.text for piece in pieces)) == letters(text)


def test_entities_follow_the_stripped_text() -> None:
    (piece,) = typeset("  \n\n😀 **bold** and `code`\n\n")
    assert piece == Piece("😀 bold and code", (Entity("bold", 3, 4), Entity("code", 12, 4)))


def test_nothing_visible_makes_no_piece() -> None:
    assert [typeset(text) for text in ("", " \n", "\u200b", "\x00", "\u3164 \u2800")] == [[]] * 5


def test_what_telegram_refuses_is_taken_out() -> None:
    assert clean("a\x00b\ud83dc\r\nd\re\u2028f\x0bg\u202eh\ti") == "abc\nd\ne\nf\ngh\ti"


def test_b4_a_code_block_that_fits_is_not_cut() -> None:
    code = "\n".join(f"line {number}" for number in range(30))
    pieces = typeset(f"{'word ' * 60}\n\n```python\n{code}\n```\nend", 400)
    (block,) = [piece for piece in pieces if piece.entities]
    assert code in block.text
    assert block.entities[0].language == "python"


def test_b4_a_code_block_that_begins_early_and_fits_is_not_cut() -> None:
    code = "\n".join(f"line {number}" for number in range(44))
    pieces = typeset(f"{'word ' * 20}\n\n```\n{code}\n```", 400)
    assert [piece.text for piece in pieces] == [("word " * 20).strip(), code]


def test_b4_a_code_block_longer_than_a_piece_goes_on_in_its_language() -> None:
    code = "\n".join(f"def f{number}():\n    return {number}" for number in range(60))
    pieces = typeset(f"Look:\n\n```python\n{code}\n```", 300)
    assert len(pieces) > 3
    assert all(piece.entities[-1].type == "pre" and piece.entities[-1].language == "python" for piece in pieces)
    assert all(piece.text.startswith("def") for piece in pieces[1:])
    assert "\n".join(piece.text for piece in pieces) == f"Look:\n\n{code}"


def test_a_cut_prefers_paragraphs_then_lines_then_words() -> None:
    assert [piece.text for piece in split("aaa bbb\n\nccc ddd", [], 12)] == ["aaa bbb", "ccc ddd"]
    assert [piece.text for piece in split("aaa bbb\nccc ddd", [], 12)] == ["aaa bbb", "ccc ddd"]
    assert [piece.text for piece in split("aaa bbb ccc ddd", [], 12)] == ["aaa bbb ccc", "ddd"]


def test_an_emoji_is_not_torn() -> None:
    family = "👨‍👩‍👧"
    pieces = split("x" * 6 + family + "y", [], 10)
    assert [piece.text for piece in pieces] == ["x" * 6, family + "y"]


def test_a_cluster_longer_than_a_piece_still_gets_through() -> None:
    text = "a" + "\u0301" * 50
    assert "".join(piece.text for piece in split(text, [], 10)) == text


def test_an_entity_over_a_cut_stands_in_both_pieces() -> None:
    pieces = split("aaaa bbbb", [Entity("bold", 0, 9), Entity("italic", 40, 2)], 5)
    assert [piece.entities for piece in pieces] == [(Entity("bold", 0, 4),), (Entity("bold", 0, 4),)]


def test_offsets_count_what_telegram_counts() -> None:
    offsets = Offsets("a😀b")
    assert offsets.length == 4
    assert [offsets.unit(index) for index in range(4)] == [0, 1, 3, 4]
    assert [offsets.index(unit) for unit in (-1, 0, 1, 2, 3, 4, 9)] == [0, 0, 1, 2, 2, 3, 3]
    assert [offsets.reach(0, size) for size in (1, 2, 3, 9)] == [1, 1, 2, 3]
