from __future__ import annotations

from pathlib import Path

from core.schema import steps
from tests.scripts.experiments.scene import NOW, quiet


def test_an_answer_is_on_disk_unless_its_run_has_been_begun_anew(tmp_path: Path) -> None:
    with quiet(tmp_path) as scene:
        promise = scene.keep(scene.ask("keep", "aaaaaaaa"))
        step = {
            "run_id": "kept_aaaaaaaa",
            "key": "model:1",
            "kind": "model",
            "name": "m",
            "status": "done",
            "started_at": NOW,
        }
        scene.add(steps, **step, epoch=1, response={"provider_response_id": "msg_1"})
        tables = scene.scene.tables
        assert (tables.is_on_disk(["msg_1"]), tables.is_on_disk(["msg_2"])) == (True, False)
        anew = """{"former_runs": ["kept_aaaaaaaa"]}"""
        scene.change("UPDATE promises SET metadata = :anew WHERE id = :id", anew=anew, id=promise)
        assert not tables.is_on_disk(["msg_1"])
