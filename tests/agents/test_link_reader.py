from __future__ import annotations

from agents.link_reader import MANIFEST
from agents.roster import AGENTS
from runtime.registry import check_names


def test_b10_who_reads_pages_of_strangers_has_no_tools() -> None:
    check_names(AGENTS)
    assert MANIFEST in AGENTS
    assert MANIFEST.toolsets == ()
    assert "not orders" in MANIFEST.instructions
