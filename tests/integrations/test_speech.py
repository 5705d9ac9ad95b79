"""The transcription service over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from core.errors import ModelRefused, ModelUnavailable, RequestError
from core.settings import Settings
from integrations.speech import SERVICE, Speech
from tests.world.content import WAV, make_ogg
from tests.world.http_server import Response
from tests.world.speech import Heard, SpeechWorld, refusal


@pytest.fixture
async def world() -> AsyncIterator[SpeechWorld]:
    async with SpeechWorld() as world:
        yield world


@pytest.fixture
def speech(world: SpeechWorld) -> Speech:
    return Speech("a key", world.url, "whisper-1", is_own_address=True)


def settings(**values: Any) -> Settings:
    return Settings.model_construct(project=Path("/srv"), env_file=Path("/srv/.env"), **values)


async def test_b11_a_sound_becomes_text(world: SpeechWorld, speech: Speech) -> None:
    world.said[make_ogg()] = " Hello there. "
    assert await speech.transcribe(make_ogg()) == "Hello there."
    assert world.heard == [Heard("a key", "whisper-1", "sound.ogg", make_ogg())]


async def test_b11_an_audio_that_is_no_audio_is_not_sent_anywhere(world: SpeechWorld, speech: Speech) -> None:
    with pytest.raises(RequestError, match="no sound that can be read"):
        await speech.transcribe(b"MZ this is a program")
    assert world.heard == []


@pytest.mark.parametrize(
    ("answer", "error", "sentence"),
    [
        (refusal(400, "Invalid file format."), RequestError, "cannot read it: Invalid file format."),
        (refusal(401, "Incorrect API key"), ModelRefused, "refuses OPENAI_API_KEY: Incorrect API key."),
        (refusal(429, "Quota", "insufficient_quota"), ModelRefused, "refuses: Quota."),
        (refusal(404, "No such model"), ModelRefused, "refuses: No such model."),
        (Response(502, b"<html>"), ModelUnavailable, "cannot answer now: HTTP 502."),
        (Response(200, b"not json"), ModelUnavailable, "an answer that is none"),
        (Response(200, b"[]"), ModelUnavailable, "an answer that is none"),
        (Response(200, b"{", declared=99), ModelUnavailable, "does not answer"),
    ],
)
async def test_b11_what_the_service_refuses_is_told(
    world: SpeechWorld, speech: Speech, answer: Response, error: type[Exception], sentence: str
) -> None:
    world.fail(answer)
    with pytest.raises(error, match=sentence):
        await speech.transcribe(WAV)


async def test_b11_the_service_says_how_long_to_wait(world: SpeechWorld, speech: Speech) -> None:
    world.fail(refusal(429, "Slow down", retry_after="2.5"), refusal(429, "Slow down", retry_after="soon"))
    for seconds in (2.5, None):
        with pytest.raises(ModelUnavailable) as raised:
            await speech.transcribe(WAV)
        assert raised.value.retry_after == seconds
    with pytest.raises(ModelUnavailable, match="does not answer"):
        await replace(speech, url="http://127.0.0.1:9").transcribe(WAV)


def test_b11_the_settings_turn_it_on() -> None:
    assert Speech.of(settings()) is None
    keyed = Speech.of(settings(openai_api_key=SecretStr("secret")))
    assert keyed is not None
    assert (keyed.url, keyed.key, keyed.is_own_address) == (SERVICE, "secret", False)
    local = Speech.of(settings(openai_base_url="http://127.0.0.1:1/v1", model_transcription="large"))
    assert local is not None
    assert (local.url, local.model, local.is_own_address) == ("http://127.0.0.1:1/v1", "large", True)
