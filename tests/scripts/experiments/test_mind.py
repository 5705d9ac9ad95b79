from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from scripts.experiments.mind import FILLER, PAUSE, Mind, think
from tests.world.anthropic import AnthropicWorld, Asked, Call, Hang, Say


def asked(text: str) -> Asked:
    return Asked({"messages": [{"role": "user", "content": text}]})


class Sure(random.Random):
    def random(self) -> float:
        return 0.0


async def test_long_answers_are_written_so_slowly_that_they_are_seen_growing() -> None:
    mind = Mind(AnthropicWorld(), Sure(), lambda _: False)
    reply = mind._later(Say(f"{FILLER}Here it is: re:1f0c22ab"))
    said, pauses = "", 0
    while isinstance(reply, Hang):
        said, pauses, reply = said + reply.said, pauses + bool(reply.said), reply.then or Say("")
    assert isinstance(reply, Say)
    assert (said + reply.text, pauses) == (f"{FILLER}Here it is: re:1f0c22ab", 2)
    assert PAUSE > 1
    quick = mind._later(Say("Here it is: re:1f0c22ab"))
    assert isinstance(quick, Hang)
    assert (quick.said, quick.then) == ("", Say("Here it is: re:1f0c22ab"))


def called(text: str) -> dict[str, Any]:
    reply = think(asked(text))
    assert isinstance(reply, Call)
    assert isinstance(reply.args, dict)
    return reply.args


def test_what_is_promised_for_later_or_often_says_when() -> None:
    moment = datetime.fromisoformat(called("later:ffffffff")["when"]["at"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < moment <= timedelta(hours=1)
    assert called("often:ffffffff") == {"task": "tick:ffffffff", "task_type": "code", "when": {"every": "1h"}}
    assert "when" not in called("keep:ffffffff")
