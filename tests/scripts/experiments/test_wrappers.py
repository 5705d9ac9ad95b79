from __future__ import annotations

from scripts.experiments.wrappers import UNPLAYED, find_missed, find_unreached, names_in, names_in_code

SOURCE = """
await database.write("settle", work)
await self._write("end", work)
with around(self.edge, "fence.run"): ...
with around(self.edge, f"tool.{name}"): ...
file.write("text")
"""


def test_names_are_read_where_transactions_and_calls_are_wrapped() -> None:
    assert set(names_in(SOURCE)) == {"settle", "end", "fence.run"}


def test_a_name_with_a_prefix_counts_as_reached() -> None:
    points = ["server turn.end:before-commit", "worker settle:after-commit"]
    assert find_unreached({"settle", "end", "fence.run"}, points) == ["fence.run"]


def test_what_no_process_came_to_is_missed_unless_the_scene_does_not_play_it() -> None:
    played = {f"worker {name}:before" for name in names_in_code() - UNPLAYED.keys() - {"promise-settle"}}
    assert find_missed(played) == ["promise-settle"]


def test_the_code_is_full_of_them() -> None:
    assert names_in_code() > UNPLAYED.keys()
    assert {"receive", "promise-settle", "sent", "fence.run", "telegram.connect"} <= names_in_code()
