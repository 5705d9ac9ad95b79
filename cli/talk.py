"""A conversation on the command line: runs of an agent in this very process, as the installation's owner."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from core.protocols import Asker
from runtime.workplace import Errand, Workplace


@dataclass(frozen=True, slots=True)
class WorkplaceTalk:
    """Implements cli.script.Talk."""

    workplace: Workplace
    asker: Asker

    async def say(self, text: str, on_text: Callable[[str], None]) -> str:
        """Raises ValorError."""
        shown = ""

        async def show_rest(so_far: str) -> None:
            nonlocal shown
            if not so_far.startswith(shown):  # the model goes on after a tool: this text is another one
                on_text("\n")
                shown = ""
            on_text(so_far[len(shown) :])
            shown = so_far

        errand = Errand(
            run_id=f"cli-{secrets.token_hex(8)}",
            who="the command line",
            asker=self.asker,
            prompt=text,
            on_text=show_rest,
        )
        answer = await self.workplace.run(errand)
        if shown.strip() != answer.text.strip():
            await show_rest(answer.text)
        return answer.text
