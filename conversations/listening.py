"""Listening to voice messages: a paid call with a row of its own, tried again where that may help."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from conversations.turn import Turn
from core.clock import Clock
from core.errors import ModelRefused, ModelUnavailable
from integrations.speech import Speech
from runtime.accounts import Accounts, Caller, Size

NO_KEY = "Voice and audio are not transcribed here, because OPENAI_API_KEY is not set: the owner can set it."
ATTEMPTS = 3
FIRST_WAIT, MOST_WAIT = 0.5, 20.0
log = structlog.get_logger("agents.listening")


@dataclass(frozen=True, slots=True)
class Listening:
    """`speech` None: nothing can be transcribed."""

    speech: Speech | None
    accounts: Accounts
    clock: Clock
    first_wait: float = FIRST_WAIT

    async def __call__(self, sound: bytes, turn: Turn) -> str:
        """What is said. Raises RequestError for what is no sound, ModelErrors for what the service did."""
        if self.speech is None:
            raise ModelRefused(NO_KEY)
        wait = self.first_wait
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._attempt(self.speech, sound, turn)
            except ModelUnavailable as error:
                wait = min(error.retry_after or wait, MOST_WAIT)
                log.info("Listening again.", turn=turn.id, after=wait, reason=str(error))
            await self.clock.sleep(wait)
            wait *= 4
        return await self._attempt(self.speech, sound, turn)

    async def _attempt(self, speech: Speech, sound: bytes, turn: Turn) -> str:
        caller = Caller(turn.chat.key, turn.run_id, None, str(turn.requester_id), "transcription")
        async with self.accounts.call(caller, speech.model, Size(0, 0)) as record:
            text = await speech.transcribe(sound)
            self.accounts.heard(record)
            return text
