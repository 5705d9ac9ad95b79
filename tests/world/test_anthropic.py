"""The fake Messages API behaves as the real one does, seen by the real client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import anthropic
import httpx2
import pytest

from tests.world.anthropic import AnthropicWorld, Asked, Break, Call, Fail, Hang, Say


@pytest.fixture
async def model() -> AsyncIterator[AnthropicWorld]:
    async with AnthropicWorld() as opened:
        yield opened


@pytest.fixture
async def client(model: AnthropicWorld) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(api_key="k", base_url=model.url, max_retries=0) as opened:
        yield opened


def asking(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "claude-test", "max_tokens": 100, "messages": [{"role": "user", "content": text}], **more}


async def create(client: anthropic.AsyncAnthropic, body: dict[str, Any]) -> anthropic.types.Message:
    return cast("anthropic.types.Message", await client.messages.create(**body))


async def stream(client: anthropic.AsyncAnthropic, body: dict[str, Any]) -> anthropic.types.Message:
    async with client.messages.stream(**body) as opened:
        return await opened.get_final_message()


both = pytest.mark.parametrize("ask", [create, stream])


@both
async def test_without_a_script_the_asking_message_is_echoed(client: anthropic.AsyncAnthropic, ask: Any) -> None:
    message = await ask(client, asking("Earlier in this chat:\n> a: b\n\nNow:\nhow is n-17?"))
    assert message.content[0].text == "Echo: how is n-17?"
    assert (message.stop_reason, message.model) == ("end_turn", "claude-test")
    assert message.usage.input_tokens > 0 < message.usage.output_tokens


@both
async def test_tool_calls_and_what_they_return(
    model: AnthropicWorld, client: anthropic.AsyncAnthropic, ask: Any
) -> None:
    model.script(lambda asked: Say(f"It said {asked.results[-1].text}") if asked.results else None)
    model.answer((Say("Look:"), Call("read", {"path": "a"})))
    first = await ask(client, asking("go"))
    assert first.stop_reason == "tool_use"
    call = first.content[1]
    assert (call.name, call.input) == ("read", {"path": "a"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "42", "is_error": False}
    said = [{"type": "text", "text": "Look:"}, {"type": "tool_use", "id": call.id, "name": "read", "input": call.input}]
    messages = [
        *asking("go")["messages"],
        {"role": "assistant", "content": said},
        {"role": "user", "content": [result]},
    ]
    second = await ask(client, asking("go", messages=messages, system="Be brief.", tools=[]))
    assert second.content[0].text == "It said 42"
    asked = model.calls[-1].asked
    assert (asked.prompt, asked.system, asked.results[0].tool) == ("go", "Be brief.", "read")


@both
async def test_an_empty_answer_has_no_content(
    model: AnthropicWorld, client: anthropic.AsyncAnthropic, ask: Any
) -> None:
    model.answer(Say(""))
    assert (await ask(client, asking("x"))).content == []


@both
@pytest.mark.parametrize(
    ("fail", "error"),
    [
        (Fail(401), anthropic.AuthenticationError),
        (Fail(429, retry_after=7), anthropic.RateLimitError),
        (Fail(400, message="Your credit balance is too low"), anthropic.BadRequestError),
        (Fail(529), anthropic.APIStatusError),
    ],
)
async def test_errors(
    model: AnthropicWorld, client: anthropic.AsyncAnthropic, ask: Any, fail: Fail, error: type[anthropic.APIStatusError]
) -> None:
    model.answer(fail)
    with pytest.raises(error) as caught:
        await ask(client, asking("x"))
    assert caught.value.status_code == fail.status
    assert caught.value.request_id == model.calls[0].id
    assert caught.value.response.headers.get("retry-after") == (f"{fail.retry_after}" if fail.retry_after else None)


async def test_an_error_in_the_middle_of_a_stream(model: AnthropicWorld, client: anthropic.AsyncAnthropic) -> None:
    model.answer(Fail(529, said="Half"))
    with pytest.raises(anthropic.APIStatusError, match="overloaded"):
        await stream(client, asking("x"))


@both
@pytest.mark.parametrize("chars", [0, 4])
async def test_a_connection_that_breaks(
    model: AnthropicWorld, client: anthropic.AsyncAnthropic, ask: Any, chars: int
) -> None:
    model.answer(Break(chars))
    with pytest.raises((anthropic.APIConnectionError, httpx2.TransportError)):
        await ask(client, asking("x"))
    assert (await ask(client, asking("again"))).content[0].text == "Echo: again"


@both
@pytest.mark.parametrize("then", [None, Say(" there"), Call("read", {})])
@pytest.mark.parametrize("said", ["", "Hello"])
async def test_a_call_hangs_until_it_is_released(
    model: AnthropicWorld, client: anthropic.AsyncAnthropic, ask: Any, then: Any, said: str
) -> None:
    release = asyncio.Event()
    model.answer(Hang(release, then, said))
    asking_it = asyncio.create_task(ask(client, asking("x")))
    await model.until(lambda: len(model.calls) == 1)
    assert model.calls[0].ended is None
    release.set()
    message = await asking_it
    text = "".join(block.text for block in message.content if block.type == "text")
    assert text == said + (then.text if isinstance(then, Say) else "" if then else "released")
    assert (message.stop_reason == "tool_use") == isinstance(then, Call)


@both
async def test_a_call_may_hang_more_than_once(
    model: AnthropicWorld, client: anthropic.AsyncAnthropic, ask: Any
) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    model.answer(Hang(first, Hang(second, Say("c"), "b"), "a"))
    asking_it = asyncio.create_task(ask(client, asking("x")))
    await model.until(lambda: len(model.calls) == 1)
    first.set()
    assert model.calls[0].ended is None
    second.set()
    message = await asking_it
    assert "".join(block.text for block in message.content if block.type == "text") == "abc"


async def test_a_stream_may_end_early_as_if_nothing_were_missing(
    model: AnthropicWorld, client: anthropic.AsyncAnthropic
) -> None:
    model.answer(Break(4, clean=True))
    events = [event async for event in await client.messages.create(**asking("x"), stream=True)]
    assert [event.type for event in events] == ["message_start", "content_block_start", "content_block_delta"]


@both
async def test_an_answer_may_reach_the_limit_of_output(
    model: AnthropicWorld, client: anthropic.AsyncAnthropic, ask: Any
) -> None:
    model.answer(Say("Once upon", stop="max_tokens"))
    assert (await ask(client, asking("x"))).stop_reason == "max_tokens"


async def test_a_client_that_hangs_up_is_noticed(model: AnthropicWorld, client: anthropic.AsyncAnthropic) -> None:
    model.answer(Hang())
    asking_it = asyncio.create_task(create(client, asking("x")))
    await model.until(lambda: len(model.calls) == 1)
    assert not model.calls[0].dropped
    asking_it.cancel()
    await model.until(lambda: model.calls[0].dropped)


async def test_replies_are_for_whom_they_are_meant(model: AnthropicWorld, client: anthropic.AsyncAnthropic) -> None:
    model.answer(Say("one"), Say("two"), when=lambda asked: "mine" in asked.prompt)
    said = [(await create(client, asking(text))).content[0] for text in ("x", "mine", "mine", "mine")]
    assert [block.text for block in said if block.type == "text"] == ["Echo: x", "one", "two", "Echo: mine"]


async def test_garbage_arguments_are_sent_as_they_are(model: AnthropicWorld, client: anthropic.AsyncAnthropic) -> None:
    model.answer(Call("read", '{"path": '))
    events = [event async for event in await client.messages.create(**asking("x"), stream=True)]
    deltas = [event.delta for event in events if event.type == "content_block_delta"]
    assert [delta.partial_json for delta in deltas if delta.type == "input_json_delta"] == ['{"path": ']


TOOL_USE: dict[str, Any] = {
    "role": "assistant",
    "content": [{"type": "tool_use", "id": "t1", "name": "read", "input": {}}],
}


REFUSED: list[list[dict[str, Any]]] = [
    [],
    [{"role": "user", "content": " "}],
    [{"role": "user", "content": []}],
    [{"role": "user", "content": "a"}, TOOL_USE],
    [{"role": "user", "content": "a"}, TOOL_USE, {"role": "user", "content": "no result"}],
    [{"role": "user"}],
]


@pytest.mark.parametrize("messages", REFUSED)
async def test_what_the_real_service_refuses_is_refused(
    client: anthropic.AsyncAnthropic, model: AnthropicWorld, messages: list[dict[str, Any]]
) -> None:
    with pytest.raises(anthropic.BadRequestError):
        await create(client, asking("", messages=messages))
    assert model.calls == []


async def test_keys_are_checked_and_not_kept(client: anthropic.AsyncAnthropic) -> None:
    async with AnthropicWorld(key="right") as model:
        for header in ({"x-api-key": "right"}, {"authorization": "Bearer right"}, {"x-api-key": "wrong"}, {}):
            async with httpx2.AsyncClient(trust_env=False) as http:
                answer = await http.post(f"{model.url}/v1/messages?beta=true", json=asking("x"), headers=header)
                assert answer.status_code == (200 if "right" in str(header) else 401)
        assert [call.path for call in model.calls] == ["/v1/messages?beta=true"] * 2
        assert "right" not in str([call.headers for call in model.calls])


async def test_other_paths_are_not_found(model: AnthropicWorld) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{model.url}/v1/models")).status_code == 404


async def test_until_gives_up(model: AnthropicWorld) -> None:
    with pytest.raises(TimeoutError):
        await model.until(lambda: False, seconds=0.01)


def test_an_asked_steering_message_starts_a_new_prompt() -> None:
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "ok"}
    steer = {"role": "user", "content": [result, {"type": "text", "text": "rather this"}]}
    asked = Asked({"messages": [{"role": "user", "content": "first"}, TOOL_USE, steer]})
    assert (asked.prompt, asked.results) == ("rather this", [])
    assert Asked({"messages": [TOOL_USE]}).prompt == ""
