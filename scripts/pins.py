"""The pins of pyproject.toml follow the compiled requirements.

    python scripts/pins.py            say whether they match; exit code 1 when they do not
    python scripts/pins.py --write    write them

`uv run` on a fresh clone reads them, so that it takes exactly the compiled versions without a committed uv.lock.
Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILED = ("requirements.txt", "requirements-dev.txt")
DECLARED = {"requirements.txt": ("base",), "requirements-dev.txt": ("base", "development")}
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
BLOCK = re.compile(r"(?<=^constraint-dependencies = \[\n)(?:    \"[^\"]*\",\n)*(?=\]$)", re.MULTILINE)
NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)", re.MULTILINE)


def read_pins(root: Path, name: str) -> dict[str, str]:
    """Package -> version, as one compiled file has them."""
    return dict(PIN.findall((root / name).read_text()))


def render_block(pins: dict[str, str]) -> str:
    return "".join(f'    "{name}=={version}",\n' for name, version in sorted(pins.items()))


def find_problems(root: Path) -> list[str]:
    """Sentences about what does not match: the compiled files among themselves, with what is declared, and the pins."""
    problems: list[str] = []
    pins: dict[str, str] = {}
    for compiled in COMPILED:
        found = read_pins(root, compiled)
        problems += [
            f"{compiled}: {name} is {found[name]} here and {version} in another file"
            for name, version in pins.items()
            if found.get(name, version) != version
        ]
        problems += [
            f"{compiled}: {name} is declared and not compiled" for name in declared(root, compiled) - set(found)
        ]
        problems += [f"{compiled}: {name} has no hash" for name in without_hash(root / compiled)]
        pins |= found
    if read_block(root) != render_block(pins):
        problems.append("pyproject.toml: constraint-dependencies are not the compiled versions")
    return problems


def declared(root: Path, compiled: str) -> set[str]:
    """The packages that the files behind a compiled file ask for."""
    texts = [(root / "requirements" / f"{source}.txt").read_text() for source in DECLARED[compiled]]
    return {name.lower().replace("_", "-") for text in texts for name in NAME.findall(text)}


def without_hash(path: Path) -> list[str]:
    entries = re.split(r"\n(?=[a-z0-9])", path.read_text())
    return [entry.split("==")[0] for entry in entries if PIN.match(entry) and "--hash=sha256:" not in entry]


def read_block(root: Path) -> str | None:
    found = BLOCK.search((root / "pyproject.toml").read_text())
    return found.group() if found else None


def write_block(root: Path) -> None:
    path = root / "pyproject.toml"
    pins = {name: version for compiled in COMPILED for name, version in read_pins(root, compiled).items()}
    path.write_text(BLOCK.sub(lambda _: render_block(pins), path.read_text()))


def main(root: Path, arguments: list[str]) -> int:
    if "--write" in arguments:
        write_block(root)
    problems = find_problems(root)
    for problem in problems:
        print(f"{problem}: run scripts/setup --lock", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(ROOT, sys.argv[1:]))
