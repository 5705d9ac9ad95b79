"""What is kept of a conversation comes back as it was; what is too large is cut, in words."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_ai.messages import (
    BinaryContent,
    BinaryImage,
    FilePart,
    ImageUrl,
    ModelRequest,
    ModelResponse,
    RetryFeedbackPart,
    RetryInfo,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_core import from_json, to_json

from runtime import contents
from runtime.contents import (
    digest_of,
    give_prompt,
    give_response,
    give_result,
    give_said,
    keep_prompt,
    keep_response,
    keep_result,
    keep_said,
)

EVERY_BYTE = bytes(range(256)) * 3
PICTURE = BinaryImage(EVERY_BYTE, media_type="image/png")


def stored(kept: object) -> Any:
    """What the database gives back."""
    return from_json(to_json(kept))


@pytest.mark.parametrize(
    "result",
    [
        "text 👀 with a line\n",
        {"files": 3, "names": ["a", None]},
        None,
        7.5,
        PICTURE,
        ["seen:", PICTURE, {"more": BinaryContent(b"\x00%PDF", media_type="application/pdf", identifier="page-1")}],
        ImageUrl("https://a.b/c.png"),
    ],
)
def test_p9_a_tool_s_result_comes_back_byte_for_byte(result: object) -> None:
    given = give_result(stored(keep_result(result)))
    assert given == result
    assert type(given) is type(result)


def test_p9_what_is_said_with_files_comes_back() -> None:
    for said in ("only words", ["look:", PICTURE, ImageUrl("https://a.b/c.png"), "and?"]):
        assert give_said(stored(keep_said(said))) == said


def test_p9_a_prompt_comes_back_with_the_files_at_hand() -> None:
    """They lie on disk already; the journal knows them by their digest."""
    prompt = ["look:", PICTURE, ImageUrl("https://a.b/c.png")]
    kept = stored(keep_prompt(prompt))
    assert PICTURE.base64 not in str(kept)
    assert give_prompt(kept, ["other words", PICTURE]) == prompt
    assert give_prompt(kept, "the picture is gone") == [
        "look:",
        "[image/png, 768 bytes: no longer there]",
        ImageUrl("https://a.b/c.png"),
    ]
    assert give_prompt(stored(keep_prompt("go")), "went") == "go"


def test_p9_a_response_comes_back_as_it_was() -> None:
    parts = [TextPart("a"), ToolCallPart("t", {"x": [1]}, tool_call_id="t1"), FilePart(PICTURE)]
    response = ModelResponse(parts=parts, model_name="m")
    assert give_response(stored(keep_response(response))) == response


def test_p9_what_no_json_knows_is_kept_as_text() -> None:
    class Odd:
        def __str__(self) -> str:
            return "odd"

    assert keep_result({"a": Odd(), "b": b"\xff", "c": (1, 2)}) == {"a": "odd", "b": "_w==", "c": [1, 2]}


def test_bad_input_half_a_character_is_no_text_for_a_model() -> None:
    assert keep_result("a\ud83d \udcff") == "a\ufffd \ufffd"


def test_p9_large_texts_are_cut_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "TEXT_MOST", 10)
    monkeypatch.setattr(contents, "JSON_MOST", 100)
    assert keep_result("x" * 5_000) == "x" * 10 + "\n[cut here: 5,000 characters in all]"
    assert keep_result(["y" * 11]) == ["y" * 10 + "\n[cut here: 11 characters in all]"]
    assert keep_result([1] * 1_000).startswith("[1,1,1,1,1\n[cut here: ")


def test_p9_files_beyond_the_room_are_left_out_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "BYTES_MOST", 10)
    small, large = BinaryImage(b"12345678", media_type="image/png"), BinaryContent(b"123", media_type="audio/wav")
    left_out = "[left out: audio/wav, 3 bytes; a tool call may return 10 bytes of files]"
    assert give_result(stored(keep_result([small, large]))) == [small, left_out]
    assert give_said(stored(keep_said([small, large]))) == [small, left_out]


def asked(*parts: Any) -> str:
    before = [ModelRequest(parts=[UserPromptPart("before")]), ModelResponse(parts=[TextPart("yes")])]
    return digest_of([*before, ModelRequest(parts=list(parts))])


def test_p9_a_digest_is_of_what_is_asked_and_nothing_else() -> None:
    result = ToolReturnPart("t", "done", tool_call_id="t1")
    one = asked(result, UserPromptPart("go"))
    later = digest_of(
        [ModelRequest(parts=[result], instructions="It is Friday."), ModelRequest(parts=[UserPromptPart("go")])]
    )
    assert one == asked(ToolReturnPart("t", "done", tool_call_id="t1"), UserPromptPart("go")) == later
    others = [
        asked(result, UserPromptPart("stop")),
        asked(result),
        asked(UserPromptPart("go"), result),
        asked(ToolReturnPart("t", "else", tool_call_id="t1"), UserPromptPart("go")),
        asked(ToolReturnPart("t", "done", tool_call_id="t2"), UserPromptPart("go")),
        asked(ToolReturnPart("t", "done", tool_call_id="t1", outcome="failed"), UserPromptPart("go")),
        asked(result, UserPromptPart(["go", PICTURE])),
        asked(result, UserPromptPart("go"), RetryFeedbackPart("again", retry=RetryInfo("no_output"))),
    ]
    assert len({one, *others}) == len(others) + 1
