from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pins() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pins", ROOT / "scripts" / "pins.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("pyproject.toml", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    return tmp_path


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def append(path: Path, line: str) -> None:
    path.write_text(path.read_text() + line)


def test_the_projects_own_pins_match(pins: ModuleType) -> None:
    assert pins.find_problems(ROOT) == []
    assert pins.main(ROOT, []) == 0


def test_writing_pins_brings_them_back(pins: ModuleType, copy: Path) -> None:
    before = (copy / "pyproject.toml").read_text()
    replace(copy / "pyproject.toml", '    "telethon==', '    "telethon==9.')
    assert pins.main(copy, []) == 1
    assert pins.main(copy, ["--write"]) == 0
    assert (copy / "pyproject.toml").read_text() == before


def test_what_does_not_match_is_named(pins: ModuleType, copy: Path) -> None:
    replace(copy / "requirements.txt", "\ntelethon==", "\ntelethon==9.")
    append(copy / "requirements" / "base.txt", "flask>=3\n")
    problems = pins.find_problems(copy)
    assert "requirements.txt: flask is declared and not compiled" in problems
    assert any(problem.startswith("requirements-dev.txt: telethon is 1.") for problem in problems)
    assert "pyproject.toml: constraint-dependencies are not the compiled versions" not in problems


def test_a_pin_without_a_hash_is_named(pins: ModuleType, copy: Path) -> None:
    append(copy / "requirements.txt", "zzz==1.0\n")
    assert "requirements.txt: zzz has no hash" in pins.find_problems(copy)
