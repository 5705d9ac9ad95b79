from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from core.logs import AGENT_INPUTS, bound, configure_logging
from core.settings import Settings

SECRET = "known-secret-value"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def keep_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def build_settings(tmp_path: Path, **values: object) -> Settings:
    given: dict[str, object] = {"project": tmp_path, "env_file": tmp_path / ".env", "notion_api_key": SECRET}
    return Settings.model_validate(given | values)


def read_lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_s7_one_json_line_per_event_with_ids_time_logger_and_level(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "agent_system.log"
    configure_logging(build_settings(tmp_path), file)
    with bound(chat="account:1/5", turn=7, run=None):
        structlog.get_logger("integrations.telegram.userbot").info("message received", size=3)
        logging.getLogger("agents.tools.files").warning("wrote %s", "a.txt", extra={"promise": 4})
    structlog.get_logger("agents.valor_agent").debug("not at this level")
    first, second = read_lines(file)
    assert list(first)[:4] == ["time", "level", "logger", "message"]
    assert str(first["time"]).endswith("Z")
    assert {k: v for k, v in first.items() if k != "time"} == {
        "level": "info",
        "logger": "telegram.userbot",
        "message": "message received",
        "chat": "account:1/5",
        "turn": 7,
        "size": 3,
    }
    assert (second["logger"], second["message"]) == ("tools.files", "wrote a.txt")
    assert (second["turn"], second["promise"]) == (7, 4)


def test_s7_our_lines_of_telegram_are_not_quietened_with_the_vendors_of_that_name(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    configure_logging(build_settings(tmp_path), file)
    structlog.get_logger("telegram.signs").info("A sign was not shown.")
    logging.getLogger("telegram.ext.Application").info("Application started")
    assert [(line["logger"], line["message"]) for line in read_lines(file)] == [
        ("telegram.signs", "A sign was not shown.")
    ]


def test_s7_secrets_are_masked_in_messages_values_and_tracebacks(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    configure_logging(build_settings(tmp_path), file, frozenset({"page-token-1"}))
    log = structlog.get_logger("web")
    log.info(f"calling with {SECRET}", header={"Authorization": "Bearer 1"}, cookie_value="page-token-1")
    try:
        raise RuntimeError(SECRET)
    except RuntimeError:
        log.exception("failed")
    text = file.read_text()
    assert SECRET not in text
    assert "page-token-1" not in text
    assert "RuntimeError" in text
    assert read_lines(file)[0]["header"] == {"Authorization": "[secret]"}


def test_s7_files_rotate(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    configure_logging(build_settings(tmp_path, log_file_bytes=300, log_file_count=2), file)
    for number in range(20):
        logging.getLogger("core").info("line %d of many", number)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.log", "x.log.1", "x.log.2"]


def test_s7_switches_open_the_loggers_of_contents(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    configure_logging(build_settings(tmp_path, log_level="DEBUG"), file)
    structlog.get_logger(AGENT_INPUTS).debug("hidden")
    logging.getLogger("httpx").info("hidden")
    configure_logging(build_settings(tmp_path, log_level="DEBUG", log_agent_inputs=True, log_api_requests=True), file)
    structlog.get_logger(AGENT_INPUTS).debug("shown")
    logging.getLogger("httpx").info("shown")
    assert [line["message"] for line in read_lines(file)] == ["shown", "shown"]


def test_s7_a_quiet_process_says_nothing_at_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    configure_logging(build_settings(tmp_path), tmp_path / "x.log", quiet=True)
    structlog.get_logger("a").info("hello")
    assert terminal.getvalue() == ""
    assert "hello" in (tmp_path / "x.log").read_text()


def test_s7_a_terminal_gets_colour_and_a_pipe_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, pipe = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    configure_logging(build_settings(tmp_path), tmp_path / "x.log")
    structlog.get_logger("web").info("hello")
    assert "\x1b[" in terminal.getvalue()
    assert "hello" in terminal.getvalue()
    monkeypatch.setattr(sys, "stderr", pipe)
    configure_logging(build_settings(tmp_path), tmp_path / "x.log")
    structlog.get_logger("web").info("to the file alone")
    assert pipe.getvalue() == ""
    configure_logging(build_settings(tmp_path), None)
    structlog.get_logger("web").info("to the pipe", chat=5)
    assert "to the pipe" in pipe.getvalue()
    assert "\x1b[" not in pipe.getvalue()
