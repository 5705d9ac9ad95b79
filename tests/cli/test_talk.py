"""A conversation on the command line, as the installation's owner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from cli.talk import WorkplaceTalk
from core.message import Chat
from core.protocols import Asker
from core.workspaces import Role
from runtime.runner import RunResult, Usage
from runtime.workplace import Errand, Workplace

ASKER = Asker(Chat("local", "cli"), None, 0, "You", Role.OWNER, "psy")


@dataclass
class PlayedWorkplace:
    """Shows these texts while it works, then answers."""

    shown: Sequence[str]
    answer: str
    errands: list[Errand] = field(default_factory=list[Errand])

    async def run(self, errand: Errand) -> RunResult:
        self.errands.append(errand)
        assert errand.on_text is not None
        for text in self.shown:
            await errand.on_text(text)
        return RunResult(self.answer, (), (), Usage(0, 0, 0, 0), 1)


async def said(*shown: str, answer: str) -> str:
    heard: list[str] = []
    talk = WorkplaceTalk(cast("Workplace", PlayedWorkplace(shown, answer)), ASKER)
    assert await talk.say("hello", heard.append) == answer
    return "".join(heard)


async def test_each_piece_is_shown_once() -> None:
    assert await said("All", "All is", "All is well.", answer="All is well.") == "All is well."


async def test_what_was_not_shown_is_shown_at_the_end() -> None:
    assert await said(answer="All is well.") == "All is well."
    assert await said("All is", answer="All is well.") == "All is well."


async def test_a_text_after_a_tool_is_another_text() -> None:
    assert await said("I look.", "It", "It is well.", answer="It is well.") == "I look.\nIt is well."


async def test_each_question_is_a_run_of_its_own_by_the_owner() -> None:
    workplace = PlayedWorkplace((), "Yes.")
    talk = WorkplaceTalk(cast("Workplace", workplace), ASKER)
    for text in ("one", "two"):
        await talk.say(text, lambda _: None)
    assert [errand.prompt for errand in workplace.errands] == ["one", "two"]
    assert {errand.asker for errand in workplace.errands} == {ASKER}
    assert len({errand.run_id for errand in workplace.errands}) == 2
