from __future__ import annotations

from pathlib import Path

from tests.conversations.stage import DM, FRONT, OLGA, Stage, opened, write_current
from web.heard import Heard


async def test_b1_a_front_is_met_before_anything_of_it_is_received(tmp_path: Path) -> None:
    await write_current(tmp_path)
    async with opened(Stage(tmp_path)) as stage:
        met: list[int] = []
        heard = Heard(stage.reception, lambda: met.append(stage.front.calls.count(("send", "re: hello"))))
        await heard.receive_waiting([stage.front.say(DM.key, OLGA, "hello")])
        await heard.catch_up(FRONT)
        await stage.quiet()
        await heard.receive(stage.front.say(DM.key, OLGA, "and now"))
        await stage.quiet()
        assert stage.front.texts(DM.key) == ["re: hello", "re: and now"]
    assert met == [0, 0, 1]
