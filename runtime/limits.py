"""How long and how often a run may try."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.settings import Settings

if TYPE_CHECKING:
    from pydantic_ai.usage import UsageLimits


@dataclass(frozen=True, slots=True)
class RunLimits:
    """Of one run; seconds. `silence`: how long the model may say nothing. `attempts`: of one model request, in all."""

    silence: float = 30.0
    tool_calls: int = 50
    promise_tool_calls: int = 200
    attempts: int = 3
    first_wait: float = 0.5
    most_wait: float = 20.0
    jitter: float = 0.5
    chance: random.Random = field(default_factory=random.Random)

    @classmethod
    def of(cls, settings: Settings) -> RunLimits:
        return cls(silence=settings.agent_timeout_seconds, most_wait=settings.agent_timeout_seconds)

    def wait(self, failures: int, asked: float | None) -> float | None:
        """Seconds before the next attempt after so many failures: what the service asked for, or backoff with jitter.

        None when there is no further attempt, or the service asks for more patience than a run has.
        """
        if failures >= self.attempts:
            return None
        if asked is not None:
            return asked if asked <= self.most_wait else None
        full = min(self.first_wait * 2 ** (failures - 1), self.most_wait)
        return full * (1 - self.jitter * self.chance.random())

    def usage(self, *, is_promise: bool) -> UsageLimits:
        """The same for pydantic-ai. Requests have a bound of their own, since calls that fail are not counted."""
        from pydantic_ai.usage import UsageLimits

        calls = self.promise_tool_calls if is_promise else self.tool_calls
        return UsageLimits(tool_calls_limit=calls, request_limit=2 * calls)
