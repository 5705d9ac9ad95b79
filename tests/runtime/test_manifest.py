from __future__ import annotations

from typing import Any

import pytest

from core.access import Action
from runtime.manifest import AgentManifest, Tools
from tests.runtime.stage import GUEST, Stage

GOOD: dict[str, Any] = {"name": "scout", "title": "Scout", "instructions": "Look."}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": "No Name"}, "no name of an agent"),
        ({"title": " "}, "title is empty"),
        ({"instructions": ""}, "instructions is empty"),
        ({"wants": frozenset({"luck"})}, "no such parts: luck"),
        ({"wants": frozenset({"model"})}, "both required and wanted: model"),
    ],
)
def test_a_manifest_checks_itself(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        AgentManifest(**(GOOD | wrong))


def test_a_good_manifest_is_frozen() -> None:
    manifest = AgentManifest(**GOOD)
    with pytest.raises(AttributeError):
        AgentManifest.__setattr__(manifest, "name", "other")


async def test_a9_tools_are_for_those_who_may_and_can(stage: Stage) -> None:
    anyone = Tools(stage.bench.build)
    code = Tools(stage.bench.build, needs=Action.CODE)
    fenced = Tools(stage.bench.build, in_fence=True)
    boxed = Tools(stage.bench.build, in_fence=True, in_sandbox=True)
    assert [tools.are_for(stage.deps()) for tools in (anyone, code, fenced, boxed)] == [True, True, False, False]
    assert not code.are_for(stage.deps(asker=GUEST))
