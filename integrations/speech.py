"""Speech becomes text: a service that speaks OpenAI's `POST /audio/transcriptions`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.content import sound_type
from core.edges import Edge, around, no_edge
from core.errors import ModelError, ModelRefused, ModelUnavailable, RequestError
from core.settings import Settings

if TYPE_CHECKING:
    import httpx

SERVICE = "https://api.openai.com/v1"
SECONDS = 120.0
LONGEST = 400_000  # characters of a transcript
NO_SOUND = "It is no sound that can be read, whatever its name says."


@dataclass(frozen=True, slots=True)
class Speech:
    """One service and its model. `is_own_address`: the owner named it, so it is reached directly."""

    key: str = field(repr=False)
    url: str
    model: str
    is_own_address: bool
    edge: Edge = field(default=no_edge, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Speech | None:
        """The service that the settings name, None without a key or an address of its own."""
        key, own = settings.openai_api_key, settings.openai_base_url
        if key is None and own is None:
            return None
        secret = key.get_secret_value() if key else "none"
        return cls(secret, own or SERVICE, settings.model_transcription, own is not None, settings.edge)

    async def transcribe(self, sound: bytes) -> str:
        """What is said in a sound file.

        Raises RequestError for what is no sound, ModelUnavailable for what may pass, ModelRefused for what does not.
        """
        ending = sound_type(sound)
        if ending is None:
            raise RequestError(NO_SOUND)
        import httpx

        try:
            with around(self.edge, "speech.transcribe"):
                async with await asyncio.to_thread(self._open) as client:
                    answer = await client.post(
                        "/audio/transcriptions",
                        files={"file": (f"sound.{ending}", sound)},
                        data={"model": self.model, "response_format": "json"},
                    )
        except httpx.HTTPError as error:
            said = str(error) or type(error).__name__
            raise ModelUnavailable(f"The transcription service does not answer: {said}.") from error
        return _text_of(answer)

    def _open(self) -> httpx.AsyncClient:
        """Takes a moment, for it reads the certificates."""
        import httpx

        return httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=httpx.Timeout(SECONDS, connect=10),
            trust_env=not self.is_own_address,
        )


def _text_of(answer: httpx.Response) -> str:
    if answer.is_success:
        try:
            return str(answer.json()["text"]).strip()[:LONGEST]
        except (ValueError, KeyError, TypeError):
            raise ModelUnavailable("The transcription service gave an answer that is none.") from None
    raise _error_of(answer)


def _error_of(answer: httpx.Response) -> ModelError | RequestError:
    said, code = _said(answer)
    if answer.status_code in {400, 413, 415, 422}:
        return RequestError(f"The transcription service cannot read it: {said}.")
    if answer.status_code in {401, 403}:
        return ModelRefused(f"The transcription service refuses OPENAI_API_KEY: {said}.")
    if answer.status_code == 404 or code == "insufficient_quota":
        return ModelRefused(f"The transcription service refuses: {said}.")
    wait = answer.headers.get("retry-after", "")
    return ModelUnavailable(f"The transcription service cannot answer now: {said}.", _seconds(wait))


def _said(answer: httpx.Response) -> tuple[str, str]:
    """The service's own words and its code."""
    try:
        error: Any = answer.json()["error"]
        return str(error["message"]).rstrip(".")[:300], str(error.get("code") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"HTTP {answer.status_code}", ""


def _seconds(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
