"""What linters cannot hold: the shape of the house (docs/design.md)."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("agents", "cli", "conversations", "core", "integrations", "promises", "runtime", "web")
DESCRIPTIONS = {
    "core/errors.py": "names only",
    "core/message.py": "frozen records only",
    "core/protocols.py": "signatures only",
    "core/columns.py": "tables only",
    "core/media_schema.py": "tables only",
    "core/schema.py": "tables only; tests/core/test_migrate.py compares them with the migrations",
}
STORES = (
    "*store.py",
    "core/schema.py",
    "core/media_schema.py",
    "core/database.py",
    "core/migrate.py",
    "core/migrations/*",
)
FORBIDDEN_STEMS = {"utils", "util", "helpers", "helper", "common", "misc", "calendar", "email", "platform", "logging"}
FORBIDDEN_ENDINGS = ("_v2", "_new", "_fixed", "_updated", "_legacy", "_old")
FORBIDDEN_CLASS = re.compile(
    r"(Manager|Handler|Helper|Util|Utils|Processor|Engine)$|^(Enhanced|Unified|Smart|Base[A-Z])"
)
FORBIDDEN_COMMENT = re.compile(r"#\s*(noqa|type:\s*ignore|pyright:\s*ignore|pragma:\s*no)|\b(TODO|FIXME|XXX|HACK)\b")
QUERIES = {"select", "insert", "update", "delete", "text"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def product_files() -> tuple[Path, ...]:
    found = (path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
    return (ROOT / "main.py", *sorted(found))


@cache
def files_of_tests() -> tuple[Path, ...]:
    return tuple(sorted((ROOT / "tests").rglob("*.py")))


@cache
def script_files() -> tuple[Path, ...]:
    return tuple(sorted((ROOT / "scripts").rglob("*.py")))


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions_of(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(parse(path)) if isinstance(node, Function))


def length(function: Function) -> int:
    """Lines from `def` to the end, the docstring not counted."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is None or len(function.body) == 1:
        return lines
    return lines - ((first.end_lineno or first.lineno) - first.lineno + 1)


def calls_of(path: Path) -> Iterator[tuple[ast.Call, str]]:
    """Every call with its dotted name."""
    return ((node, ast.unparse(node.func)) for node in ast.walk(parse(path)) if isinstance(node, ast.Call))


def does_something(path: Path) -> bool:
    return any(True for _ in functions_of(path)) and path.name != "__init__.py"


def is_store(path: Path) -> bool:
    return any(fnmatch(name(path), pattern) for pattern in STORES)


def neighbouring_tests(path: Path) -> Iterator[Path]:
    """The test files in the folder that mirrors a module's."""
    return (ROOT / "tests" / path.relative_to(ROOT).parent).glob("test_*.py")


def is_tested(path: Path) -> bool:
    """Whether a test file in the mirrored folder bears the module's name, or imports it."""
    module = name(path).removesuffix(".py").replace("/", ".")
    package, _, stem = module.rpartition(".")
    spelled = re.compile(rf"\bimport {re.escape(module)}\b|\bfrom {re.escape(module)} import\b")
    within = re.compile(rf"^from {re.escape(package)} import .*\b{stem}\b", re.MULTILINE)
    return any(
        file.stem == f"test_{stem}" or spelled.search(file.read_text()) or (package and within.search(file.read_text()))
        for file in neighbouring_tests(path)
    )


def test_every_module_is_tested_in_the_folder_that_mirrors_its_own() -> None:
    wanted = [
        path
        for path in product_files()
        if does_something(path) and name(path) not in DESCRIPTIONS and "migrations" not in path.parts
    ]
    assert [name(path) for path in wanted if not is_tested(path)] == []


def test_every_folder_of_tests_mirrors_one_of_the_product() -> None:
    folders = {path.parent.relative_to(ROOT / "tests") for path in files_of_tests() if path.name.startswith("test_")}
    assert {str(folder) for folder in folders if folder.parts[:1] and not (ROOT / folder).is_dir()} <= {
        "acceptance",
        "world",
    }


def test_no_file_is_longer_than_400_lines() -> None:
    every = (*product_files(), *files_of_tests(), *script_files())
    files = [path for path in every if "migrations" not in path.parts]  # written by Alembic, and never read again
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {path: lines for path, lines in lengths.items() if lines >= 400} == {}


def test_functions_are_short() -> None:
    every = {
        f"{name(path)}:{function.name}": length(function) for path in product_files() for function in functions_of(path)
    }
    assert {place: lines for place, lines in every.items() if lines > 50} == {}
    lengths = sorted(every.values())
    assert median(lengths) <= 8
    assert lengths[int(len(lengths) * 0.9)] <= 25


def test_functions_take_at_most_five_parameters() -> None:
    long: list[str] = []
    for path in product_files():
        for function in functions_of(path):
            arguments = function.args
            named = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
            if len([argument for argument in named if argument not in {"self", "cls"}]) > 5:
                long.append(f"{name(path)}:{function.name}")
    assert long == []


def test_names_say_what_things_are() -> None:
    bad = [
        name(path)
        for path in (*product_files(), *script_files())
        if path.stem in FORBIDDEN_STEMS or path.stem.endswith(FORBIDDEN_ENDINGS)
    ]
    for path in product_files():
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ClassDef) and FORBIDDEN_CLASS.search(node.name):
                bad.append(f"{name(path)}:{node.name}")
            if isinstance(node, Function) and node.name.endswith(FORBIDDEN_ENDINGS):
                bad.append(f"{name(path)}:{node.name}")
    assert bad == []


def test_no_comment_silences_a_tool_or_defers_work() -> None:
    found: list[str] = []
    for path in (*product_files(), *files_of_tests(), *script_files()):
        tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
        comments = (token for token in tokens if token.type == tokenize.COMMENT)
        found += [f"{name(path)}:{c.start[0]}: {c.string}" for c in comments if FORBIDDEN_COMMENT.search(c.string)]
    assert found == []


def test_no_test_sleeps() -> None:
    sleeping: list[str] = []
    for path in files_of_tests():
        for call, called in calls_of(path):
            is_pause = called in {"time.sleep", "asyncio.sleep", "anyio.sleep", "trio.sleep", "sleep"}
            yields_only = bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0
            if is_pause and not yields_only:
                sleeping.append(f"{name(path)}:{call.lineno}")
    assert sleeping == []


def test_no_test_asserts_how_long_something_took() -> None:
    """Deadlines end a test that hangs; what is quick is shown by scripts/bench."""
    clocks = re.compile(r"\b(monotonic|perf_counter|time\.time)\(\) - ")
    asserted: list[str] = []
    for path in files_of_tests():
        timed = (
            node for node in ast.walk(parse(path)) if isinstance(node, ast.Assert) and clocks.search(ast.unparse(node))
        )
        asserted += [f"{name(path)}:{node.lineno}" for node in timed]
    assert asserted == []


def broad_handlers(path: Path) -> list[ast.ExceptHandler]:
    """The handlers that catch everything and let nothing on."""
    broad = {"Exception", "BaseException"}
    return [
        node
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ExceptHandler)
        and not any(isinstance(inner, ast.Raise) and inner.exc is None for inner in node.body)
        and (node.type is None or any(isinstance(n, ast.Name) and n.id in broad for n in ast.walk(node.type)))
    ]


def test_only_the_outermost_loops_catch_everything_and_they_keep_the_cause() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]["per-file-ignores"]
    allowed = {path for path, codes in rules.items() if "BLE001" in codes}
    handlers = {name(path): broad_handlers(path) for path in product_files()}
    assert {path for path, found in handlers.items() if found} == allowed
    for path, found in handlers.items():
        for handler in found:
            body = ast.unparse(ast.Module(handler.body, []))
            kept = (
                "log.exception" in body or "raise" in body or (handler.name and re.search(rf"\b{handler.name}\b", body))
            )
            assert kept, f"{path}:{handler.lineno} loses the cause"


def test_only_command_lines_print() -> None:
    printing = {name(path) for path in product_files() for _, called in calls_of(path) if called == "print"}
    assert {path for path in printing if not path.startswith("cli/")} == set()


def test_the_environment_is_read_in_one_place() -> None:
    reading: set[str] = set()
    for path in (*product_files(), *script_files()):
        for node in ast.walk(parse(path)):
            dotted = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            imported = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
            if dotted in {"os.environ", "os.environb", "os.getenv"} or {"environ", "getenv"} & set(imported):
                reading.add(name(path))
    assert reading == {"core/environment.py"}


def test_nothing_is_global_and_nothing_works_at_import() -> None:
    found: list[str] = []
    for path in product_files():
        if "migrations" in path.parts:
            continue  # Alembic runs these files instead of importing them.
        found += [f"{name(path)}:{n.lineno}: global" for n in ast.walk(parse(path)) if isinstance(n, ast.Global)]
        found += [
            f"{name(path)}:{node.lineno}: work at import"
            for node in parse(path).body
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        ]
    assert found == []


def test_queries_are_written_in_stores_only() -> None:
    outside: list[str] = []
    for path in product_files():
        if is_store(path):
            continue
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
                outside += [f"{name(path)}: {alias.name}" for alias in node.names if alias.name in QUERIES]
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                is_query = re.match(
                    r"\s*(SELECT .* FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM|CREATE TABLE)\b", node.value
                )
                outside += [f"{name(path)}:{node.lineno}"] if is_query else []
    assert outside == []


def test_nobody_imports_main_and_scripts_close_with_two_lines() -> None:
    for path in product_files():
        tree = parse(path)
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        modules = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
        modules |= {node.module or "" for node in imports if isinstance(node, ast.ImportFrom)}
        assert "main" not in modules, f"{name(path)} imports main"
        if name(path).startswith("agents/"):
            upward = {module for module in modules if module.split(".")[0] == "cli"}
            guarded = [node for node in tree.body if isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)]
            outside = [node for node in tree.body if node not in guarded]
            assert not any(
                isinstance(node, ast.Import | ast.ImportFrom) and "cli" in ast.unparse(node)
                for statement in outside
                for node in ast.walk(statement)
            ), f"{name(path)} imports cli outside __main__"
            assert not upward or len(guarded[0].body) <= 2


def test_floors_and_doors_hold() -> None:
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("path", ["requirements.txt", "requirements-dev.txt", "requirements/uv.txt", "pyproject.toml"])
def test_no_lock_records_download_addresses(path: str) -> None:
    assert "://" not in (ROOT / path).read_text()
    assert not re.search(r"--(index-url|extra-index-url|find-links|trusted-host)", (ROOT / path).read_text())


def test_git_ignores_what_belongs_to_one_installation() -> None:
    private = [".env", ".token", "system.db", "huey.db", "server.pid", "logs/huey.log", "data/valor.session", "uv.lock"]
    run = subprocess.run(["git", "check-ignore", *private], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.stdout.split() == private


def test_the_shipped_configuration_is_json_and_neutral() -> None:
    text = (ROOT / "config/workspace_config.json").read_text()
    assert json.loads(text)["dm_whitelist"]["allowed_users"] == {}
    assert "psy" not in text.lower()
