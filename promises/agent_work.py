"""A promise kept by an agent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from core.attachment import Picture
from core.content import picture_type
from core.protocols import Asker, Progress
from promises.keeper import Outcome
from promises.promise import PICTURES, PROMPT, Promise
from runtime.workplace import Errand, Workplace

TASK = """This is promise #{id}, which you made. Do it now, all of it, and report what you did; nobody can be asked \
meanwhile.
The task ({kind}): {task}"""


@dataclass(frozen=True, slots=True)
class AgentWork:
    """Implements promises.keeper.Work; `load` gives what lies at a place in data/media, None where nothing does."""

    workplace: Workplace
    load: Callable[[str], Awaitable[bytes | None]]
    look_again: Callable[[], object]  # at the configuration: a worker runs for weeks, and may have been told otherwise

    async def __call__(self, promise: Promise, progress: Progress) -> Outcome:
        await asyncio.to_thread(self.look_again)
        errand = Errand(
            run_id=promise.run_id,
            who=f"promise #{promise.id}",
            asker=_asker(promise),
            prompt=_prompt(promise),
            pictures=await self._pictures(promise),
            progress=progress,
            promise_id=promise.id,
            epoch=promise.epoch,
        )
        result = await self.workplace.run(errand)
        return Outcome(result.text, result.evidence, result.refused)

    async def _pictures(self, promise: Promise) -> tuple[Picture, ...]:
        """What a parked turn was shown."""
        loaded = [(place, await self.load(place)) for place in promise.metadata.get(PICTURES, ())]
        known = [(place, picture_type(content), content) for place, content in loaded if content]
        return tuple(Picture(mime, content, place) for place, mime, content in known if mime)


def _prompt(promise: Promise) -> str:
    """A turn that was parked goes on as it began."""
    parked = promise.metadata.get(PROMPT)
    return parked or TASK.format(id=promise.id, kind=promise.task_type, task=promise.task_description)


def _asker(promise: Promise) -> Asker:
    return Asker(
        promise.chat,
        promise.message_id,
        promise.requester_id,
        promise.requester_name,
        promise.role,
        promise.workspace,
    )
