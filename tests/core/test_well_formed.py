"""No half of a surrogate pair goes further than the border."""

from __future__ import annotations

import pytest

from core.well_formed import is_well_formed, well_formed, well_formed_so_far, well_formed_within


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("", ""),
        ("grün 😀", "grün 😀"),
        ("a\ud83d", "a\ufffd"),
        ("\ude00b", "\ufffdb"),
        ("a\ud83d\ude00", "a😀"),
        ("\udcff\udcfe", "\ufffd\ufffd"),
    ],
)
def test_halves_are_joined_or_replaced(text: str, mended: str) -> None:
    assert well_formed(text) == mended
    assert is_well_formed(text) == (text == mended)
    assert is_well_formed(mended)


def test_a_half_at_the_end_of_what_grows_waits_for_the_other_one() -> None:
    assert [well_formed_so_far(text) for text in ("", "a\ud83d", "a\ud83d\ude00", "a\ude00")] == [
        "",
        "a",
        "a😀",
        "a\ufffd",
    ]


def test_every_text_of_a_value_is_mended() -> None:
    given = {"a\ud83d": ["b\ud83d", 1, None, {"c": "\ud83d\ude00"}]}
    assert well_formed_within(given) == {"a\ufffd": ["b\ufffd", 1, None, {"c": "😀"}]}
