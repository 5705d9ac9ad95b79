"""How long a person waits for a list: `valor promises list` from exec to exit, against a running server."""

from __future__ import annotations

import asyncio
import time
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from statistics import median

from scripts.benchmarks.processes import Product, running
from scripts.benchmarks.service import is_up
from tests.acceptance.installation import PROJECT, Installation

VALOR = str(PROJECT / ".venv" / "bin" / "valor")


async def measure_command_line(folder: Path, lists: int) -> dict[str, float]:
    """The median of so many lists, one after the other; the first warms the caches."""
    settings = {"API_RATE_LIMIT": "1000000"}
    async with running(Product(Installation(folder, settings))) as product:
        await product.start_server()
        await product.until_health(is_up)
        seconds = [await time_list(product.installation) for _ in range(lists + 1)]
    return {"cli_list_ms_p50": median(seconds[1:]) * 1000}


async def time_list(installation: Installation) -> float:
    """Raises LookupError when it fails: that would be quick too."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        VALOR, "promises", "list", env=installation.environment, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
    )
    said, error = await process.communicate()
    seconds = time.perf_counter() - began
    if said != b"No promises yet.\n":
        raise LookupError(f"valor promises list said: {said.decode()}{error.decode()}")
    return seconds
