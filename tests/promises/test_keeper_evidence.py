from __future__ import annotations

import pytest

from core.errors import ModelRefused, ModelUnavailable, RequestError
from promises.keeper import Outcome
from tests.promises.stage import OWNER, Stage

RAN = {"kind": "command", "command": "pytest", "exit_code": 0}
FAILED = {"kind": "command", "command": "pytest", "exit_code": 1}
CUT_SHORT = {"kind": "interrupted", "tool": "run_command"}
FILE = {"kind": "file", "path": "a.py", "before": None, "after": "abc"}


@pytest.mark.parametrize(
    ("evidence", "sentence"),
    [
        ((), "No tool was seen to do anything."),
        ((RAN, FILE, FAILED), "The last command ended with exit code 1."),
        ((RAN, CUT_SHORT), "run_command was cut short by a restart, and nothing was done after it."),
    ],
)
async def test_p10_code_that_was_not_seen_to_work_is_not_done(
    stage: Stage, evidence: tuple[dict[str, object], ...], sentence: str
) -> None:
    number = await stage.make("mend it", task_type="code")
    row = await stage.keep(number, Outcome("All done.", evidence))
    assert (row.status, row.error_message, row.result_summary) == ("failed", sentence, None)
    [told] = await stage.told("result")
    assert told.text.startswith(f"Promise #1 failed: mend it\n\n{sentence}\n\nThe agent said:\n\nAll done.")


@pytest.mark.parametrize("evidence", [(FAILED, RAN), (CUT_SHORT, FILE), (FILE,)])
async def test_p10_what_was_mended_or_done_again_is_done(stage: Stage, evidence: tuple[dict[str, object], ...]) -> None:
    number = await stage.make("mend it", task_type="code")
    assert (await stage.keep(number, Outcome("All done.", evidence))).status == "completed"


async def test_p10_an_analysis_needs_no_command(stage: Stage) -> None:
    assert (await stage.keep(await stage.make(task_type="analysis"), Outcome("42."))).status == "completed"


async def test_p5_the_same_cancel_again_is_no_error(stage: Stage) -> None:
    number = await stage.make()
    first = await stage.service.cancel(number, OWNER)
    assert (await stage.service.cancel(number, OWNER)).status == first.status == "cancelled"
    assert len(await stage.told("notice")) == 1
    other = await stage.make()
    await stage.keep(other, Outcome("42."))
    with pytest.raises(RequestError, match="completed already"):
        await stage.service.cancel(other, OWNER)


async def test_p10_what_was_done_before_a_failure_is_kept_and_told(stage: Stage) -> None:
    number = await stage.make("mend it", task_type="code")
    keeping = await stage.begin(number, stage.keeper())
    await stage.write_steps(number, ("done", "write_file", [FILE]), ("done", "run_command", [FAILED]))
    stage.work.ends.put_nowait(ModelRefused("The key is refused."))
    await keeping
    assert (await stage.row(number)).evidence == [FILE, FAILED]
    [told] = await stage.told("result")
    assert told.text == (
        "Promise #1 failed: mend it\n\nThe key is refused.\n\n- changed: `a.py` (nothing → abc…)\n- ran: `pytest` → 1"
    )


async def test_p5_what_was_done_before_a_cancel_is_kept_and_told(stage: Stage) -> None:
    number = await stage.make("mend it", task_type="code")
    await stage.keep(number, ModelUnavailable("The model is overloaded."))
    await stage.write_steps(number, ("done", "write_file", [FILE]))
    await stage.service.cancel(number, OWNER)
    assert (await stage.row(number)).evidence == [FILE]
    [told] = await stage.told("notice")
    assert told.text == "Promise #1 is cancelled: mend it\n\n- changed: `a.py` (nothing → abc…)"
