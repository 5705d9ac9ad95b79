"""A promise kept by an agent."""

from __future__ import annotations

from dataclasses import dataclass

from core.protocols import Asker, Progress
from promises.keeper import Outcome
from promises.promise import Promise
from runtime.workplace import Errand, Workplace

TASK = """This is promise #{id}, which you made. Do it now, all of it, and report what you did; nobody can be asked \
meanwhile.
The task ({kind}): {task}"""


@dataclass(frozen=True, slots=True)
class AgentWork:
    """Implements promises.keeper.Work."""

    workplace: Workplace

    async def __call__(self, promise: Promise, progress: Progress) -> Outcome:
        errand = Errand(
            run_id=promise.run_id,
            who=f"promise #{promise.id}",
            asker=_asker(promise),
            prompt=TASK.format(id=promise.id, kind=promise.task_type, task=promise.task_description),
            progress=progress,
            promise_id=promise.id,
            epoch=promise.epoch,
        )
        result = await self.workplace.run(errand)
        return Outcome(result.text, result.evidence, result.refused)


def _asker(promise: Promise) -> Asker:
    return Asker(
        promise.chat,
        promise.message_id,
        promise.requester_id,
        promise.requester_name,
        promise.role,
        promise.workspace,
    )
