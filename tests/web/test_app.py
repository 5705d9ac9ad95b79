"""The page and what it needs."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.web.stage import Stage
from web.app import STATIC

HEAVY = ("pydantic_ai", "telethon", "telegram", "sqlalchemy", "huey", "anthropic", "openai")


async def test_the_page_is_served_whole() -> None:
    async with Stage().up() as stage, stage.client() as client:
        page = await client.get("/")
        linked = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
        answers = [await client.get(path) for path in linked]
    assert page.headers["content-type"].startswith("text/html")
    assert len(linked) == 3
    assert {answer.status_code for answer in answers} == {200}


def test_s9_the_page_has_nothing_inline_that_its_policy_forbids() -> None:
    html = (STATIC / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", html)


def test_s4_the_web_loads_nothing_heavy() -> None:
    loaded = f"import sys, web.app; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_unknown_addresses_and_methods_get_a_sentence() -> None:
    async with Stage().up() as stage, stage.client() as client:
        nowhere, wrong = await client.get("/api/nothing"), await client.delete("/api/promises")
    assert (nowhere.status_code, nowhere.json()) == (404, {"error": "There is nothing at this address."})
    assert (wrong.status_code, wrong.json()) == (405, {"error": "This address does not take that method."})
