"""Dead letters over HTTP."""

from __future__ import annotations

from tests.web.stage import Stage


async def test_b4_dead_letters_are_listed_and_sent_again_or_dropped() -> None:
    async with Stage().up() as stage, stage.client() as client:
        [listed] = (await client.get("/api/deadletters")).json()
        again = (await client.post("/api/deadletters/3/retry")).json()
        gone = await client.post("/api/deadletters/3/drop")
    assert (listed["id"], listed["chat"], listed["status"]) == (3, "-1005", "dead")
    assert (listed["error"], listed["text"], listed["turn_id"]) == ("Kicked out.", "Hello\nyou", 9)
    assert again == {**listed, "status": "ready"}
    assert (gone.status_code, gone.json()) == (404, {"error": "There is no dead letter #3."})


async def test_s9_without_the_token_nothing_is_sent_again() -> None:
    async with Stage().up() as stage, stage.client({}) as client:
        refused = await client.post("/api/deadletters/3/retry")
    assert (refused.status_code, 3 in stage.letters.kept) == (401, True)
