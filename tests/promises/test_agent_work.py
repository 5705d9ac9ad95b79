from __future__ import annotations

import json
from pathlib import Path

import pytest

import main
from core.clock import SystemClock
from core.database import Database
from core.errors import ConsentNeeded
from core.message import Chat
from core.migrate import migrate
from core.protocols import Asker, PromiseOrder
from core.workspaces import Role
from promises import store
from promises.agent_work import AgentWork
from promises.service import Promises
from promises.worker import Places
from runtime.deps import SilentProgress
from tests.web.installation import settings_in


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
