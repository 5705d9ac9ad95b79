"""An agent as a command line (behaviour §5): with an argument, a pipe, or a person."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest

from cli.script import Talk, Wish, read_wish, serve
from core.errors import ModelRefused, Unknown
from runtime.manifest import AgentManifest

MANIFEST = AgentManifest(name="echo", title="Echo", instructions="Say it again.")


class Echo:
    async def say(self, text: str, on_text: Callable[[str], None]) -> str:
        if text == "fail":
            raise ModelRefused("The key is refused: set ANTHROPIC_API_KEY.")
        if text == "leave":
            raise KeyboardInterrupt
        for word in text.split():
            on_text(f"<{word}>")
        return text


class Played:
    def __init__(self) -> None:
        self.projects: list[str | None] = []

    @asynccontextmanager
    async def open_talk(self, manifest: AgentManifest, project: str | None) -> AsyncGenerator[Talk]:
        self.projects.append(project)
        if project == "nope":
            raise Unknown("No workspace nope: PsyOPTIMAL, FlexTrip.")
        yield Echo()

    def project_names(self) -> Sequence[str]:
        return ("PsyOPTIMAL", "FlexTrip")


def answer(arguments: list[str]) -> int:
    return serve(Played(), MANIFEST, read_wish(MANIFEST, arguments))


def test_the_command_line_is_read() -> None:
    assert read_wish(MANIFEST, ["--project", "psy", "What", "is new?"]) == Wish("What is new?", "psy", False)


def test_an_argument_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["one", "two"]) == 0
    assert capsys.readouterr().out == "<one><two>\n"


def test_projects_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["--list-projects"]) == 0
    assert capsys.readouterr().out == "PsyOPTIMAL\nFlexTrip\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(["fail"], "The key is refused: set ANTHROPIC_API_KEY.\n"), (["--project", "nope", "x"], "No workspace nope: ")],
)
def test_what_is_missing_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(arguments) == 1
    told = capsys.readouterr()
    assert told.err.startswith(sentence)
    assert told.err.count("\n") == 1


def test_an_interrupt_ends_it() -> None:
    assert answer(["leave"]) == 130


@pytest.mark.parametrize(("piped", "shown"), [("from a pipe\n", "<from><a><pipe>\n"), ("", "")])
def test_a_pipe_is_answered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], piped: str, shown: str
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(piped))
    assert answer([]) == 0
    assert capsys.readouterr().out == shown


def test_bytes_that_are_no_text_are_replaced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read_wish(MANIFEST, ["caf\udce9"]).text == "caf\ufffd"
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"caf\xe9 one\n"), encoding="utf-8"))
    assert answer([]) == 0
    assert capsys.readouterr().out == "<caf\ufffd><one>\n"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("farewell", ["quit\n", ""])
def test_a_person_converses(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], farewell: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(f"one\n\ntwo\n{farewell}"))
    assert answer([]) == 0
    assert capsys.readouterr().out == "> <one>\n> > <two>\n> "


def test_a_reader_that_has_read_enough_ends_it(tmp_path: Path) -> None:
    """The program itself, `main` being one that is found first; the pipe closes before it writes."""
    (tmp_path / "main.py").write_text(Path(__file__).read_text() + "\nopen_talk = Played().open_talk\n")
    program = "from main import MANIFEST; from cli import run; input(); run(MANIFEST)"
    reading, writing = os.pipe()
    command = [sys.executable, "-c", program, "hello"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=writing, stderr=subprocess.PIPE, cwd=tmp_path, env={"PATH": os.defpath}
    ) as process:
        os.close(writing)
        os.close(reading)
        _, complaint = process.communicate(b"\n", timeout=30)
    assert (process.returncode, complaint) == (0, b"")
