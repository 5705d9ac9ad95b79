from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agents.tools.fenced import LATER, fence_of, told_how_to_wait
from core.access import Role
from core.errors import Busy, NotAllowed
from tests.agents.tools.fence_stage import new_stage


def test_a9_members_and_owners_use_the_fence(tmp_path: Path) -> None:
    stage = new_stage(tmp_path)
    for role in (Role.OWNER, Role.MEMBER):
        assert fence_of(stage.context(role).deps) is stage.fence
    with pytest.raises(NotAllowed, match="Gus may not"):
        fence_of(stage.context(Role.GUEST).deps)


def test_w4_without_a_directory_there_is_nothing_to_use(tmp_path: Path) -> None:
    with pytest.raises(NotAllowed, match="no working directory"):
        fence_of(replace(new_stage(tmp_path).context().deps, fence=None))


@pytest.mark.parametrize(("promise_id", "told"), [(None, f"Ann writes. {LATER}"), (4, "Ann writes.")])
def test_p8_a_turn_that_finds_its_directory_taken_is_told_to_promise_the_work(
    tmp_path: Path, promise_id: int | None, told: str
) -> None:
    deps = replace(new_stage(tmp_path).context().deps, promise_id=promise_id)
    with pytest.raises(Busy) as busy, told_how_to_wait(deps):
        raise Busy("Ann writes.")
    assert str(busy.value) == told
