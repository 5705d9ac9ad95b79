"""One line per event: JSON in files, colour on a terminal, secrets nowhere.

Any module writes with `structlog.get_logger(__name__)` or `logging.getLogger(__name__)`; ids that join the lines of one
chat, turn, promise or run are bound for a stretch of code by `bound(chat=…, turn=…)`.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import structlog
from structlog.contextvars import bound_contextvars
from structlog.types import EventDict, Processor, WrappedLogger

from core.redaction import Redactor
from core.settings import Settings

# Loggers of contents: they speak only when their switch in the settings is on.
AGENT_INPUTS = "agents.inputs"
AGENT_OUTPUTS = "agents.outputs"
TOOL_CALLS = "tools.calls"
API_REQUESTS = "api.requests"

CHATTY = ("httpx", "httpx2", "httpcore", "httpcore2", "telethon", "telegram", "anthropic", "openai", "huey", "alembic")
SILENT = logging.CRITICAL + 1
SPOKEN = (("agents.tools.", "tools."), ("integrations.telegram.", "telegram."))


@dataclass(frozen=True, slots=True)
class Destination:
    """Where lines go: a file, and the terminal when there is one to look at."""

    file: Path | None
    colour: bool
    on_terminal: bool


def bound(**ids: str | int | None) -> AbstractContextManager[None]:
    """Bind ids (chat, turn, promise, run, call) to every line written inside the block."""
    return bound_contextvars(**{name: value for name, value in ids.items() if value is not None})


def configure_logging(
    settings: Settings, file: Path | None, extra_secrets: frozenset[str] = frozenset(), *, quiet: bool = False
) -> None:
    """Send every line of this process to `file` (JSON, rotated) and, at a terminal or without a file, to stderr.

    A `quiet` process says nothing there that is not its answer.
    """
    colour = sys.stderr.isatty()
    destination = Destination(file, colour, on_terminal=not quiet and (colour or file is None))
    redactor = Redactor(settings.secrets() | extra_secrets)
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    for handler in open_handlers(settings, destination, redactor):
        root.addHandler(handler)
    root.setLevel(settings.log_level)
    set_levels(settings)
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=open_logger,
        cache_logger_on_first_use=False,
    )


def open_logger(name: str) -> logging.Logger:
    """One of ours: python-telegram-bot's loggers, which are quietened, are named after Telegram as well."""
    return logging.getLogger(f"integrations.{name}" if name.startswith("telegram.") else name)


def open_handlers(settings: Settings, destination: Destination, redactor: Redactor) -> list[logging.Handler]:
    handlers: list[logging.Handler] = []
    if destination.file is not None:
        destination.file.parent.mkdir(parents=True, exist_ok=True)
        rotating = logging.handlers.RotatingFileHandler(
            destination.file, maxBytes=settings.log_file_bytes, backupCount=settings.log_file_count, encoding="utf-8"
        )
        rotating.setFormatter(build_formatter(redactor, structlog.processors.JSONRenderer(ensure_ascii=False)))
        handlers.append(rotating)
    if destination.on_terminal:
        terminal = logging.StreamHandler(sys.stderr)
        console = structlog.dev.ConsoleRenderer(colors=destination.colour, event_key="message")
        terminal.setFormatter(build_formatter(redactor, console))
        handlers.append(terminal)
    return handlers


def build_formatter(redactor: Redactor, renderer: Processor) -> structlog.stdlib.ProcessorFormatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            arrange,
            build_mask(redactor),
            renderer,
        ],
    )


def set_levels(settings: Settings) -> None:
    """Quieten vendors to warnings and open the loggers whose switch is on."""
    vendors = settings.log_level if settings.log_api_requests else max(logging.WARNING, level_of(settings))
    for name in CHATTY:
        logging.getLogger(name).setLevel(vendors)
    switches = {
        AGENT_INPUTS: settings.log_agent_inputs,
        AGENT_OUTPUTS: settings.log_agent_outputs,
        TOOL_CALLS: settings.log_tool_calls,
        API_REQUESTS: settings.log_api_requests,
    }
    for name, is_on in switches.items():
        logging.getLogger(name).setLevel(logging.DEBUG if is_on else SILENT)


def level_of(settings: Settings) -> int:
    return logging.getLevelNamesMapping()[settings.log_level]


def speak_name(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Name the logger as its readers know it: `telegram.userbot`, `tools.files`."""
    for prefix, spoken in SPOKEN:
        if event["logger"].startswith(prefix):
            event["logger"] = spoken + event["logger"].removeprefix(prefix)
    return event


def arrange(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put first what every line has."""
    head = {name: event.pop(name) for name in ("time", "level", "logger")}
    return {**head, "message": event.pop("event"), **event}


def build_mask(redactor: Redactor) -> Callable[[WrappedLogger, str, EventDict], EventDict]:
    def mask(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {name: redactor.named(name, value) for name, value in event.items()}

    return mask


SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    structlog.processors.StackInfoRenderer(),
    speak_name,
)
