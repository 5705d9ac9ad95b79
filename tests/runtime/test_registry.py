from __future__ import annotations

import pytest

from core.checks import Status
from core.errors import Unknown
from runtime.manifest import AgentManifest
from runtime.registry import check_names, find_agent, status_of

SCOUT = AgentManifest("scout", "Scout", "Look.", wants=frozenset({"notion"}))
VALOR = AgentManifest("valor", "Valor", "Help.")


def test_an_agent_is_found_by_name_in_any_case() -> None:
    assert find_agent((SCOUT, VALOR), "Valor") is VALOR
    with pytest.raises(Unknown, match="choose one of scout, valor"):
        find_agent((SCOUT, VALOR), "nobody")


def test_names_are_not_given_twice() -> None:
    check_names((SCOUT, VALOR))
    with pytest.raises(ValueError, match="Two agents are named scout"):
        check_names((SCOUT, VALOR, SCOUT))


@pytest.mark.parametrize(
    ("model", "notion", "status"),
    [
        (Status.HEALTHY, Status.HEALTHY, Status.HEALTHY),
        (Status.UNHEALTHY, Status.HEALTHY, Status.UNHEALTHY),
        (Status.STARTING, Status.HEALTHY, Status.STARTING),
        (Status.HEALTHY, Status.OFF, Status.DEGRADED),
        (Status.DEGRADED, Status.HEALTHY, Status.DEGRADED),
    ],
)
def test_required_parts_make_unhealthy_wanted_ones_degraded(model: Status, notion: Status, status: Status) -> None:
    assert status_of(SCOUT, {"model": model, "notion": notion}) is status
