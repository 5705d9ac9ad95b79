"""The fake Messages API as a process of its own, answering at once. Prints its address, then a line per first request.

What it is asked says what it does: see tests/acceptance/script_model.py. A message that holds HANG and a word gets no
answer at the first asking and one at the next, so that a process can be killed in the middle of a call.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys

from tests.acceptance.script_model import ScriptedModel
from tests.world.anthropic import AnthropicWorld, Asked, Hang, Reply, Say

HANG = re.compile(r"HANG-\w+")
SECONDS = 24 * 3600.0


class Hanging:
    """A script that lets the first asking of each word hang."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def reply(self, asked: Asked) -> Reply | None:
        found = HANG.search(asked.question)
        if found is None:
            return None
        if found[0] in self._seen:
            return Say(f"Done: {found[0]}")
        self._seen.add(found[0])
        tell({"hangs": found[0]})
        return Hang()


def tell(fact: dict[str, object]) -> None:
    print(json.dumps(fact), flush=True)


async def serve() -> None:
    """Until the standard input ends."""
    async with AnthropicWorld() as model:
        model.script(ScriptedModel().reply)
        model.script(Hanging().reply)
        tell({"url": model.url})
        ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        first = asyncio.create_task(model.until(lambda: bool(model.calls), SECONDS))
        await asyncio.wait({ended, first}, return_when=asyncio.FIRST_COMPLETED)
        if first.done():
            tell({"bytes": model.calls[0].size})
        await ended
        first.cancel()


if __name__ == "__main__":
    asyncio.run(serve())
