"""Processes that tools started, found by the mark of their run."""

from __future__ import annotations

import contextlib

import psutil

from runtime.sandbox import MARKER


def marked(marker: str) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            found += [process] if process.environ().get(MARKER) == marker else []
    return found
