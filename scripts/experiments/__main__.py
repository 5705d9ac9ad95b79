"""scripts/chaos: kill the product again and again, and look whether it lost or repeated anything."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import secrets
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from scripts.experiments.checker import Scene
from scripts.experiments.fates import Fate, Quota
from scripts.experiments.lives import Lives, nursing, start_parent
from scripts.experiments.mind import Mind
from scripts.experiments.people import People
from scripts.experiments.play import PARTS, Play, Tally
from scripts.experiments.stage import Tables, cast_in, furnish
from tests.acceptance.installation import Installation
from tests.world.anthropic import AnthropicWorld
from tests.world.telegram import TelegramWorld


async def play_once(folder, lives, quota, tally, chance):
    async with AsyncExitStack() as stack:
        installation = lives.installation
        world = await stack.enter_async_context(TelegramWorld(folder))
        model = await stack.enter_async_context(AnthropicWorld())
        cast = cast_in(world)
        furnish(installation, world, cast, model.url)
        tables = Tables(installation)
        stack.callback(tables.close)
        people = People(world, cast, chance)
        mind = Mind(model, chance, tables.is_on_disk)
        scene = Scene(world, cast, installation.home, tables, people, mind)
        play = Play(scene, lives, chance, tally, 30)
        stack.push_async_callback(lives.end_all)
        await play.ensure()
        while not tables.value("SELECT COUNT(*) FROM admitted_since"):
            await asyncio.sleep(0.02)
        await asyncio.sleep(1.1)
        while not quota.is_met:
            t=time.time()
            people.begin()
            await play.ensure()
            quota.round = 20
            parts = chance.choice([PARTS, PARTS[:1], PARTS[1:]])
            await asyncio.gather(*(Fate(part, play, quota, []).rule() for part in parts))
            t2=time.time()
            wrong = await play.come_to_rest()
            print(parts, len(tally.died_at), f"{t2-t:.1f}s {time.time()-t2:.1f}s", quota, dict(tally.kills), sum(tally.died_at.values()), dict(tally.outcomes), len(people.asked), mind.requests, mind.repeated)
            tally.violations += wrong
            if tally.violations:
                break


async def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--kills", type=int, default=50)
    ap.add_argument("--failpoints", type=int, default=50)
    ap.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    ap.add_argument("--plant", default="")
    a = ap.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    print(folder, "seed", a.seed)
    installation = Installation(folder / "home", {})
    t=time.time()
    parent = await start_parent(installation)
    async with nursing(parent, installation, a.plant) as lives:
        print("ready", time.time()-t)
        tally = Tally()
        await play_once(folder, lives, Quota(a.kills, a.failpoints), tally, random.Random(a.seed))
    print(tally.violations)
    print("missed", tally.missed.most_common(60))
    print("died", tally.died_at.most_common(100))
    print("idle", tally.idle_kills, "never", tally.never_died_at, "lives", tally.lives, time.time()-t)


asyncio.run(main())
