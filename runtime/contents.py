"""What goes to and from a model as JSON and back: texts, files, whatever a tool returns. Large ones are cut."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, cast

from pydantic import TypeAdapter
from pydantic_ai.messages import (
    BaseToolReturnPart,
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    RetryFeedbackPart,
    UserContent,
    UserPromptPart,
    tool_return_content_ta,
    tool_return_ta,
)
from pydantic_core import to_json

from core.well_formed import well_formed

JSON = Any
UserSaid = str | Sequence[UserContent]
TEXT_MOST = 500_000  # characters of one text that a tool returns
BYTES_MOST = 16 * 1024 * 1024  # of all files that one tool call returns
JSON_MOST = 3 * BYTES_MOST  # of all that it returns, as it is stored
CUT = "\n[cut here: {length:,} characters in all]"
FILE = "sha256"
GONE = "[{media_type}, {size:,} bytes: no longer there]"
LEFT_OUT = "[left out: {media_type}, {size:,} bytes; a tool call may return {most:,} bytes of files]"


@cache
def _responses() -> TypeAdapter[ModelResponse]:
    return TypeAdapter(ModelResponse)


@cache
def _user_said() -> TypeAdapter[UserSaid]:
    return TypeAdapter(UserSaid)


def keep_response(response: ModelResponse) -> JSON:
    return _responses().dump_python(response, mode="json")


def give_response(kept: JSON) -> ModelResponse:
    return _responses().validate_json(to_json(kept))


def keep_said(said: UserSaid) -> JSON:
    """What a person, or a tool in a person's place, says to a model; `give_said` makes it what it was."""
    bounded: UserSaid = _Room().fit(said)
    return _user_said().dump_python(bounded, mode="json")


def give_said(kept: JSON) -> UserSaid:
    return kept if isinstance(kept, str) else _user_said().validate_json(to_json(kept))


def keep_prompt(prompt: UserSaid) -> JSON:
    """What a run is asked. Its files lie elsewhere: each is kept as the digest that `give_prompt` knows it by."""
    if isinstance(prompt, str):
        return _Room().fit(prompt)
    return [_file_of(part) if isinstance(part, BinaryContent) else keep_said([part])[0] for part in prompt]


def give_prompt(kept: JSON, at_hand: UserSaid) -> UserSaid:
    """The prompt as it was, with the files of the one at hand; one that is not among them is told of instead."""
    if isinstance(kept, str):
        return kept
    known = {_hash(part): part for part in at_hand if isinstance(part, BinaryContent)}
    return [part for one in kept for part in _parts_of(one, known)]


def _file_of(file: BinaryContent) -> JSON:
    return {FILE: _hash(file), "media_type": file.media_type, "size": len(file.data)}


def _parts_of(kept: JSON, known: Mapping[str, BinaryContent]) -> Sequence[UserContent]:
    if not isinstance(kept, dict) or FILE not in kept:
        return give_said([kept])
    facts = cast("dict[str, Any]", kept)
    return [known.get(facts[FILE]) or GONE.format(**facts)]


def _hash(file: BinaryContent) -> str:
    return hashlib.sha256(file.data).hexdigest()


def keep_result(result: object) -> JSON:
    """What a tool returns; `give_result` makes it what it was: files are files again, byte for byte."""
    kept = tool_return_ta.dump_python(_Room().fit(result), mode="json", by_alias=True, fallback=str)
    if isinstance(kept, str) or len(spelled := to_json(kept)) <= JSON_MOST:
        return kept
    return _cut(spelled.decode())


def give_result(kept: JSON) -> Any:
    return kept if isinstance(kept, str) else tool_return_content_ta.validate_json(to_json(kept))


class _Room:
    """How much one tool call may still return."""

    def __init__(self) -> None:
        self._left = BYTES_MOST

    def fit(self, value: Any) -> Any:
        """The value, what is too large in it cut (texts) or replaced by a sentence (files)."""
        match value:
            case str():
                return _cut(value) if len(value) > TEXT_MOST else well_formed(value)
            case BinaryContent(data=data):
                self._left -= len(data)
                return value if self._left >= 0 else _left_out(value)
            case list() | tuple():
                return [self.fit(one) for one in cast("Sequence[object]", value)]
            case Mapping():
                return {name: self.fit(one) for name, one in cast("Mapping[object, object]", value).items()}
            case _:
                return value


def _cut(text: str) -> str:
    return well_formed(text[:TEXT_MOST]) + CUT.format(length=len(text))


def _left_out(file: BinaryContent) -> str:
    return LEFT_OUT.format(media_type=file.media_type, size=len(file.data), most=BYTES_MOST)


def digest_of(messages: Sequence[ModelMessage]) -> str:
    """What the next response answers: everything said and returned since the last one.

    Not in it is whatever changes though the question does not: instructions (the date stands there), times, tools.
    What came before the last response is in the digests of the responses before.
    """
    digest = hashlib.sha256()
    for part in _newest_parts(messages):
        match part:
            case UserPromptPart(content=content):
                digest.update(_spelled("said", content))
            case BaseToolReturnPart(content=content):
                digest.update(_spelled(part.tool_name, part.tool_call_id, part.outcome, content))
            case RetryFeedbackPart(content=content):
                digest.update(_spelled("retry", content))
            case _:
                pass
    return digest.hexdigest()[:32]


def _newest_parts(messages: Sequence[ModelMessage]) -> Iterable[ModelRequestPart]:
    newest: list[ModelRequest] = []
    for message in reversed(messages):
        if not isinstance(message, ModelRequest):
            break
        newest.append(message)
    return (part for request in reversed(newest) for part in request.parts)


def _spelled(*facts: object) -> bytes:
    return tool_return_ta.dump_json(list(facts), by_alias=True, fallback=str)
