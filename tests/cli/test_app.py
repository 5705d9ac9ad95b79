"""The `valor` command over a served stage."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.web.stage import TOKEN, Stage

VALOR = "from cli.app import main; main()"
SLOW = {"typer", "rich", "sqlalchemy", "pydantic", "asyncio", "fastapi", "structlog"}
MODULES = f"import sys; from cli.app import main; main(); sys.exit(str(sorted({SLOW!r} & sys.modules.keys())))"


def home_of(stage: Stage, folder: Path) -> Path:
    (folder / ".env").write_text(f"API_PORT={stage.port}\n")
    token = folder / ".token"
    token.touch(0o600)
    token.write_text(TOKEN)
    return folder


async def run(home: Path, program: str, *arguments: str) -> tuple[int, str, str]:
    """Exit code, and what it says on each stream."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("COV")}
    environment |= {"VALOR_HOME": str(home), "PATH": os.environ["PATH"], "TZ": "UTC"}
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


async def valor(home: Path, *arguments: str) -> tuple[int, str, str]:
    return await run(home, VALOR, *arguments)


async def test_a8_why(tmp_path: Path) -> None:
    async with Stage().up() as stage:
        home = home_of(stage, tmp_path)
        found, missing = await valor(home, "why", "-1005/7", "5"), await valor(home, "why", "-1005", "6")
        spelled = await valor(home, "why", "--", "-1005", "5")
    assert found == (
        0,
        "FRONT      SENT              SENDER  ANSWERED  WHY\n"
        "account:1  2026-01-01 00:00  ann     yes       dm of a listed person\n",
        "",
    )
    assert missing == (1, "", "No message 6 of chat -1005 is stored.\n")
    assert spelled == found


async def test_p5_promises(tmp_path: Path) -> None:
    async with Stage().up() as stage:
        home = home_of(stage, tmp_path)
        listed, shown = await valor(home, "promises", "list"), await valor(home, "promises", "show", "7")
        cancelled = await valor(home, "promises", "cancel", "7")
        retried, refused = await valor(home, "promises", "retry", "7"), await valor(home, "promises", "retry", "7")
        stage.promises.kept.clear()
        none = await valor(home, "promises")
    assert listed[:2] == (
        0,
        "#   STATUS   MADE              TASK             HOW FAR\n#7  pending  2026-01-01 00:00  count the stars\n",
    )
    assert "task_description  count the stars\n" in shown[1]
    assert cancelled == (0, "Promise #7 is cancelled.\n", "")
    assert retried == (0, "Promise #7 is taken up again: it is pending. Its chat is told so.\n", "")
    assert refused == (1, "", "Promise #7 is not over.\n")
    assert none == (0, "No promises yet.\n", "")


async def test_b4_dead_letters(tmp_path: Path) -> None:
    async with Stage().up() as stage:
        home = home_of(stage, tmp_path)
        listed, again = await valor(home, "deadletters"), await valor(home, "deadletters", "retry", "3")
        gone = await valor(home, "deadletters", "drop", "3")
    assert [word in listed[1] for word in ("account:1 -1005", "answer", "dead", "Hello you", "Kicked out.")] == [
        True
    ] * 5
    assert again[1] == "Message #3 is sent again to -1005, unless a look shows that it has arrived.\n"
    assert gone == (1, "", "There is no dead letter #3.\n")


async def test_p7_the_schedule_and_p9_a_run(tmp_path: Path) -> None:
    async with Stage().up() as stage:
        home = home_of(stage, tmp_path)
        schedule, shown = await valor(home, "schedule"), await valor(home, "run", "7")
    assert "2026-01-01 01:00 (Europe/Berlin)" in schedule[1]
    assert "2026-01-02 01:00" in schedule[1]
    assert shown[1].splitlines() == [
        "run_7: valor for promise #7 in Garden, done; 2 model calls, 1 tool call, 4.0 s, $0.0050, 2,100 tokens in, "
        "1,900 cached, 70 out",
        "├─ model claude: done, 1.2 s, $0.0020, 1,000 tokens in, 900 cached, 50 out, Let me look.",
        '│  └─ tool run: done, 0.5 s, ls → 0, {"command": "ls"}',
        "├─ call claude: error, 0.1 s, overloaded_error",
        "└─ model claude: done, 1.0 s, $0.0030, 1,100 tokens in, 1,000 cached, 20 out, Two files.",
    ]


async def test_every_answer_is_there_for_machines_too(tmp_path: Path) -> None:
    async with Stage().up() as stage:
        home = home_of(stage, tmp_path)
        said = [(await valor(home, *words, "--json"))[1] for words in (("promises", "--limit", "1"), ("run", "7"))]
    listed, shown = map(json.loads, said)
    assert (listed[0]["id"], shown["steps"][0]["steps"][0]["name"]) == (7, "run")


async def test_a_list_is_asked_for_with_the_standard_library_alone(tmp_path: Path) -> None:
    async with Stage().up() as stage:
        home = home_of(stage, tmp_path)
        for words in (["promises", "list"], ["promises", "list", "--limit", "3", "--json"], ["schedule"]):
            assert (await run(home, MODULES, *words))[2] == "[]\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("promises", "show", "x"), "Invalid value for"),
        (("promises", "show", "0"), "Invalid value for"),
        (("promises", "show", str(2**63)), "Invalid value for"),
        (("promises", "list", "--limit", "501"), "Invalid value for '--limit'"),
        (("promises", "--limit", "501"), "Invalid value for '--limit'"),
        (("promises", "--limit", "0", "--json"), "Invalid value for '--limit'"),
        (("promises", "--limit=many"), "Invalid value for '--limit'"),
        (("deadletters", "--limit", "501"), "Invalid value for '--limit'"),
        (("schedule", "--limit", "x"), "Invalid value for '--limit'"),
        (("promises", "--limit"), "Option '--limit' requires an argument"),
        (("promises", "list", "--nothing"), "No such option: --nothing"),
        (("promises", "--nothing"), "No such option: --nothing"),
        (("deadletters", "bury", "1"), "No such command 'bury'"),
        (("run",), "Missing argument 'ID'"),
        (("why", "page"), "Missing argument"),
        (("why", "\udcff", "1"), "bytes that are no UTF-8 text: '\\udcff'."),
        (("run", "\udcff\udcfe"), "bytes that are no UTF-8 text"),
        (("promises", "\udcff"), "bytes that are no UTF-8 text"),
    ],
)
async def test_what_makes_no_sense_is_a_usage_error(tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    code, said, error = await valor(tmp_path, *words)
    assert (code, said) == (2, "")
    assert [line for line in error.splitlines() if sentence in line] == [error.splitlines()[-1]]


async def test_s5_doctor_and_help(tmp_path: Path) -> None:
    code, said, _ = await valor(tmp_path, "doctor")
    assert (code, said.endswith("Valor can start.\n")) == (0, True)
    helped = [(await valor(tmp_path, *words, "--help"))[1] for words in ((), ("promises",), ("why",))]
    assert [word in text for word, text in zip(("deadletters", "retry", "CHAT"), helped, strict=True)] == [True] * 3


async def test_a_reader_that_has_read_enough_is_no_error(tmp_path: Path) -> None:
    async with Stage().up() as stage:
        home = home_of(stage, tmp_path)
        program = "import os, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1); from cli.app import main; main()"
        assert await run(home, program, "promises", "list") == (0, "", "")
