"""The Messages API as bytes: what a scripted service can reply, what it was asked, and how both look on the wire."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]
NOW = re.compile(r"(?:^|\n)Now:\n(?P<asked>.*)", re.DOTALL)
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


@dataclass(frozen=True, slots=True)
class Say:
    """Text; '' is an answer without any content. `stop` is the reason to stop there, when it is an unusual one."""

    text: str
    stop: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call; `args` as text is sent as it is, garbage included. Without `id` the request's number makes one."""

    tool: str
    args: JSON | str = field(default_factory=dict[str, Any])
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """An error answer; `retry_after` in seconds is its header. With `said` it comes in a stream, after that text."""

    status: int
    type: str | None = None
    message: str = "scripted"
    retry_after: float | None = None
    said: str | None = None


@dataclass(frozen=True, slots=True)
class Hang:
    """Say `said`, then nothing until `release` is set (never, without one), then `then`, which may hang again."""

    release: asyncio.Event | None = None
    then: Say | Call | Hang | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Break:
    """Cut the connection after so many characters of `text`; `clean`: end the stream as if that were all."""

    after_chars: int = 0
    text: str = "This sentence does not reach its end."
    clean: bool = False


Content = Say | Call
Reply = Content | Sequence[Content] | Fail | Hang | Break


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call of the asking side's last turn came to."""

    id: str
    tool: str
    args: JSON
    text: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, parsed. `prompt` is the newest text of the person, `results` what tools returned since."""

    body: JSON

    @property
    def messages(self) -> list[JSON]:
        return self.body["messages"]

    @property
    def streamed(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def system(self) -> str:
        return text_of(self.body.get("system", ""))

    @property
    def tools(self) -> tuple[str, ...]:
        return tuple(tool["name"] for tool in self.body.get("tools", ()))

    @property
    def prompt(self) -> str:
        at = self._prompt_at()
        return "" if at is None else text_of(self.messages[at]["content"])

    @property
    def question(self) -> str:
        """The prompt without the chat's past that is quoted in it."""
        found = NOW.search(self.prompt)
        return found["asked"] if found else self.prompt

    @property
    def said(self) -> str:
        """All that the person said in this conversation, the quoted past left out."""
        texts = [text_of(message["content"]) for message in self.messages if message["role"] == "user"]
        return "\n".join(found["asked"] if (found := NOW.search(text)) else text for text in texts if text)

    @property
    def results(self) -> list[ToolResult]:
        at = self._prompt_at()
        return self._results_in(self.messages if at is None else self.messages[at:])

    @property
    def all_results(self) -> list[ToolResult]:
        """What tools returned in the whole conversation, steered or not."""
        return self._results_in(self.messages)

    def _results_in(self, since: list[JSON]) -> list[ToolResult]:
        calls = {block["id"]: block for message in since for block in blocks_of(message, "tool_use")}
        found = [block for message in since for block in blocks_of(message, "tool_result")]
        return [_result(calls[block["tool_use_id"]], block) for block in found if block["tool_use_id"] in calls]

    def _prompt_at(self) -> int | None:
        """Where the person spoke last: text beside tool results is a steering message, and counts."""
        spoken = [n for n, message in enumerate(self.messages) if message["role"] == "user" and _speaks(message)]
        return spoken[-1] if spoken else None


@dataclass(slots=True, eq=False)
class Seen:
    """One request and what became of it; times are of the monotonic clock. `dropped`: the client hung up first."""

    asked: Asked
    path: str
    headers: dict[str, str]
    began: float
    size: int
    id: str
    reply: Reply | None = None
    ended: float | None = None
    dropped: bool = False


def find_problem(asked: Asked) -> str | None:
    """What the real service would refuse in this request."""
    if "max_tokens" not in asked.body or not asked.messages:
        return "max_tokens and messages are required"
    waiting: set[str] = set()
    for number, message in enumerate(asked.messages):
        given = {block["tool_use_id"] for block in blocks_of(message, "tool_result")}
        if given != waiting:
            return f"messages.{number}: tool_use and tool_result blocks do not match"
        waiting = {block["id"] for block in blocks_of(message, "tool_use")}
        if any(not block["text"].strip() for block in blocks_of(message, "text")) or not message["content"]:
            return f"messages.{number}: text content blocks must be non-empty"
    return "a tool_use without its tool_result" if waiting else None


def blocks_of(message: JSON, kind: str) -> Iterator[JSON]:
    content: str | list[JSON] = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return (block for block in blocks if block["type"] == kind)


def text_of(content: str | list[JSON]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block["text"] for block in content if block["type"] == "text")


def _speaks(message: JSON) -> bool:
    return any(True for _ in blocks_of(message, "text"))


def _result(call: JSON, block: JSON) -> ToolResult:
    text = text_of(block.get("content", ""))
    return ToolResult(call["id"], call["name"], call["input"], text, bool(block.get("is_error")))


def write_head(
    status: int, number: str, kind: str, length: int | None = None, retry_after: float | None = None
) -> bytes:
    size = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    lines = [f"HTTP/1.1 {status} Scripted", f"content-type: {kind}", f"request-id: {number}", size]
    if retry_after is not None:
        lines.append(f"retry-after: {retry_after:g}")
    return "\r\n".join([*lines, "", ""]).encode()


def write_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def error_body(fail: Fail) -> JSON:
    kind = fail.type or ERROR_TYPES.get(fail.status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": fail.message}}


def write_failure(fail: Fail, number: str) -> bytes:
    body = json.dumps({**error_body(fail), "request_id": number}).encode()
    return write_head(fail.status, number, "application/json", len(body), fail.retry_after) + body


def _blocks(seen: Seen, contents: Sequence[Content]) -> Iterator[JSON]:
    for number, content in enumerate(contents):
        match content:
            case Say(text=""):
                continue
            case Say(text=text):
                yield {"type": "text", "text": text}
            case Call(tool=tool, args=args, id=id):
                name = id or f"toolu_{seen.id}_{number}"
                yield {"type": "tool_use", "id": name, "name": tool, "input": args}


def write_message(seen: Seen, contents: Sequence[Content]) -> JSON:
    blocks = list(_blocks(seen, contents))
    usual = "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn"
    unusual = next((content.stop for content in contents if isinstance(content, Say) and content.stop), None)
    return {
        "id": seen.id.replace("req", "msg"),
        "type": "message",
        "role": "assistant",
        "model": seen.asked.body["model"],
        "content": blocks,
        "stop_reason": unusual or usual,
        "stop_sequence": None,
        "usage": _usage(seen, len(json.dumps(blocks)) // 4),
    }


def _usage(seen: Seen, output: int) -> JSON:
    cache = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    return {"input_tokens": seen.size // 4, "output_tokens": output, **cache}


def write_event(kind: str, data: JSON) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


def _start(seen: Seen) -> bytes:
    return write_event(
        "message_start", {"message": {**write_message(seen, ()), "stop_reason": None, "usage": _usage(seen, 1)}}
    )


def open_stream(seen: Seen, said: str) -> bytes:
    """A stream whose first block has said this much and goes on."""
    return b"".join([_start(seen), *_begin_block(0, {"type": "text", "text": said})])


def _begin_block(index: int, block: JSON) -> Iterator[bytes]:
    if block["type"] == "text":
        empty: JSON = {"type": "text", "text": ""}
        delta = {"type": "text_delta", "text": block["text"]}
    else:
        given = block["input"]
        empty = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": given if isinstance(given, str) else json.dumps(given)}
    yield write_event("content_block_start", {"index": index, "content_block": empty})
    yield write_event("content_block_delta", {"index": index, "delta": delta})


def _end(seen: Seen, whole: JSON) -> Iterator[bytes]:
    stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield write_event("message_delta", {"delta": stop, "usage": {"output_tokens": whole["usage"]["output_tokens"]}})
    yield write_event("message_stop", {})


def write_stream(seen: Seen, contents: Sequence[Content]) -> Iterator[bytes]:
    whole = write_message(seen, contents)
    yield _start(seen)
    for index, block in enumerate(whole["content"]):
        yield from _begin_block(index, block)
        yield write_event("content_block_stop", {"index": index})
    yield from _end(seen, whole)


def write_more(text: str) -> bytes:
    """What goes on with the first block."""
    return write_event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": text}})


def close_stream(seen: Seen, said: str, rest: Content) -> Iterator[bytes]:
    """The end of a stream that `_open_stream` began."""
    if isinstance(rest, Say):
        yield write_more(rest.text)
    yield write_event("content_block_stop", {"index": 0})
    whole = write_message(seen, [Say(said), rest])
    for index, block in enumerate(whole["content"][1:] if isinstance(rest, Call) else (), start=1):
        yield from _begin_block(index, block)
        yield write_event("content_block_stop", {"index": index})
    yield from _end(seen, whole)
