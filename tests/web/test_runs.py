"""Runs over HTTP."""

from __future__ import annotations

from tests.web.stage import Stage


async def test_p9_a_run_is_shown_as_a_tree_with_its_costs() -> None:
    async with Stage().up() as stage, stage.client() as client:
        run, missing = (await client.get("/api/runs/7")).json(), await client.get("/api/runs/turn:3")
    assert (run["id"], run["promise_id"], run["ended_at"]) == ("run_7", 7, "2026-01-01T00:00:04+00:00")
    assert [(step["key"], [child["key"] for child in step["steps"]]) for step in run["steps"]] == [
        ("model:1", ["call_1"]),
        ("call:2", []),
        ("model:2", []),
    ]
    assert run["steps"][0]["steps"][0]["evidence"] == [{"kind": "command", "command": "ls", "exit_code": 0}]
    assert (run["total"]["cost"], run["total"]["model_calls"], run["steps"][0]["tokens_cached"]) == (0.005, 2, 900)
    assert (missing.status_code, missing.json()) == (404, {"error": "There is no run 'turn:3'."})
