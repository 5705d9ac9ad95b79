from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

import main
from core.attachment import Picture
from core.clock import SystemClock
from core.database import Database
from core.errors import ConsentNeeded
from core.message import Chat
from core.migrate import migrate
from core.protocols import Asker, PromiseOrder
from core.workspaces import Role
from promises import store
from promises.agent_work import AgentWork
from promises.promise import PICTURES, PROMPT
from promises.service import Promises
from promises.worker import Places
from runtime.deps import SilentProgress
from runtime.workplace import Errand, Workplace
from tests.web.installation import settings_in
from tests.world.content import PNG


async def test_p10_the_worker_keeps_a_promise_with_the_agent_and_its_evidence(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    database = Database(settings.database_address)
    await migrate(database)
    _, rings = Places(settings.huey_path, settings.data_dir).open_rings()
    asker = Asker(Chat("local", "page"), 1, 0, "You", Role.OWNER, "Garden")
    view = await Promises(database, rings, SystemClock()).make(PromiseOrder("run echo kept", "code"), asker, None)
    promise = await database.read(lambda connection: store.find(connection, view.id))
    work = main.build_work(settings, database)
    assert promise is not None
    assert isinstance(work, AgentWork)
    outcome = await work(promise, SilentProgress())
    await database.close()
    assert "kept" in outcome.text
    assert {"kind": "command", "command": "echo kept", "exit_code": 0}.items() <= outcome.evidence[0].items()


async def test_w1_a_worker_takes_up_a_changed_configuration(tmp_path: Path) -> None:
    """A tool that needs consent now must not be used by a worker that was started before."""
    settings = settings_in(tmp_path)
    database = Database(settings.database_address)
    await migrate(database)
    _, rings = Places(settings.huey_path, settings.data_dir).open_rings()
    asker = Asker(Chat("local", "page"), 1, 0, "You", Role.OWNER, "Garden")
    view = await Promises(database, rings, SystemClock()).make(PromiseOrder("run echo kept", "code"), asker, None)
    promise = await database.read(lambda connection: store.find(connection, view.id))
    assert promise is not None
    work = main.build_work(settings, database)
    wanted = json.loads(settings.workspace_config_path.read_text())
    wanted["workspaces"]["Garden"]["consent"] = ["run_command"]
    settings.workspace_config_path.write_text(json.dumps(wanted))
    with pytest.raises(ConsentNeeded, match="run_command"):
        await work(promise, SilentProgress())
    await database.close()


async def test_b11_a_parked_turn_goes_on_with_the_pictures_it_was_shown(tmp_path: Path) -> None:
    @dataclass
    class Played:
        text: str = "Seen."
        evidence: tuple[Any, ...] = ()
        refused: tuple[str, ...] = ()
        errands: list[Errand] = field(default_factory=list[Errand])

        async def run(self, errand: Errand) -> Any:
            self.errands.append(errand)
            return self

    async def load(place: str) -> bytes | None:
        return {"in/1": PNG, "in/2": b"no picture"}.get(place)

    settings = settings_in(tmp_path)
    database = Database(settings.database_address)
    await migrate(database)
    _, rings = Places(settings.huey_path, settings.data_dir).open_rings()
    asker = Asker(Chat("local", "page"), 1, 0, "You", Role.OWNER, "Garden")
    view = await Promises(database, rings, SystemClock()).make(PromiseOrder("look"), asker, None)
    promise = await database.read(lambda connection: store.find(connection, view.id))
    await database.close()
    assert promise is not None
    parked = replace(promise, metadata={PROMPT: "What is it?", PICTURES: ["in/1", "in/2", "in/3"]})
    played = Played()
    await AgentWork(cast("Workplace", played), load, lambda: None)(parked, SilentProgress())
    (errand,) = played.errands
    assert (errand.prompt, errand.pictures) == ("What is it?", (Picture("image/png", PNG, "in/1"),))
