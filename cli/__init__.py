"""Command lines: `valor`, and what the closing lines of an agent script call."""

from cli.script import run

__all__ = ["run"]
