"""Nothing that was written disappears when Markdown is rendered."""

from __future__ import annotations

import pytest

from core.message import Entity
from integrations.telegram.markdown import render

KEPT = [
    "<div>\nhello\n<b>x</b>\n</div>\n\nafter <br> it <!-- c --> z",
    "export PATH=$HOME/bin:$PATH and $5 and $6.",
    "[INFO]: done",
    "[x]: a\n[y]: c",
    "if a || b || c",
    "[foo](./file.py) ![i](a.png) <a@b.c>",
    "List<String> and vector<int> v; a<b>c",
    "$$\nx^2\n$$",
    "| a | b |\n|---|---|\n| q | r | lost |",
]


@pytest.mark.parametrize("markdown", KEPT)
def test_b4_what_a_renderer_swallows_shows_as_written(markdown: str) -> None:
    assert render(markdown) == (markdown, [])


def test_code_is_not_touched() -> None:
    code = "a || b <div> $x$ [INFO]: d \\[ \\alpha \\]"
    assert render(f"```\n{code}\n```")[0].strip() == code
    assert render(f"`{code}`") == (code, [Entity("code", 0, len(code))])


def test_tables_keep_their_links() -> None:
    text, entities = render("| a | b |\n|---|---|\n| [x](http://y.z) | q |")
    assert "[x](http://y.z) | q" in text
    assert [entity.type for entity in entities] == ["pre"]


def test_empty_cells_stay_cells() -> None:
    text, _ = render("| a | b | c |\n|---|---|---|\n| x || y |")
    assert "x |   | y" in text


def test_links_that_telegram_follows_stay_links() -> None:
    text, entities = render("[a][1] and [b](https://b.c)\n\n[1]: http://x.y")
    assert text == "a and b"
    assert [entity.url for entity in entities] == ["http://x.y", "https://b.c"]


def test_style() -> None:
    text, entities = render("# Title\n\n- one\n- [ ] open\n- [x] done\n\n> quote\n\n***both*** ~~gone~~ ~5")
    assert text == "Title\n\n• one\n☐ open\n✅ done\n\nquote\n\nboth gone ~5"
    assert {entity.type for entity in entities} == {"bold", "underline", "italic", "blockquote", "strikethrough"}


def test_a_language_is_one_word() -> None:
    _, entities = render("```python title=x\ncode\n```")
    assert entities[0].language == "python"
