"""Documents are read behind walls: what they do to the program, they do to nobody else."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from integrations import documents
from runtime.process import Finished
from runtime.reader import DAMAGED, LIMITS, NO_FENCE, TOO_LONG, TOO_MUCH, Reader, understand
from runtime.sandbox import find_sandbox
from tests.world.content import make_docx, make_pdf, make_zip

BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(12)
)
LAUGHS = make_zip({"word/document.xml": f"{BOMB}]><x>&m;</x>"})


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(find_sandbox, Path(documents.__file__), tmp_path / "nothing")


def program(folder: Path, text: str) -> Path:
    made = folder / "program.py"
    made.write_text(text)
    return made


async def test_b11_documents_are_read_in_the_fence(reader: Reader) -> None:
    reading = await reader.read(make_pdf("Hello"), "run_1")
    assert (reading.text, reading.what, reading.problem) == ("Hello", "PDF, 1 page", None)
    page = await reader.read(b"<html><title>T</title><body>B</body></html>", "run_1", "page")
    assert (page.title, page.text) == ("T", "B")


async def test_b11_a_polyglot_is_what_its_first_bytes_say(reader: Reader) -> None:
    both = await reader.read(make_pdf("The PDF") + make_docx("The archive"), "run_1")
    assert both.text == "The PDF"


@pytest.mark.parametrize("content", [b"%PDF-1.7 and nothing more", b"PK\x03\x04 torn", LAUGHS])
async def test_b11_damaged_and_exploding_documents_are_refused(reader: Reader, content: bytes) -> None:
    assert (await reader.read(content, "run_1")).problem == DAMAGED


async def test_b11_an_archive_that_explodes_is_stopped_by_its_limits(reader: Reader) -> None:
    huge = zlib.compress(bytes(300_000_000), 9)
    stream = b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(huge), huge)
    pdf = make_pdf("x").replace(b"(x)", b"(y)")
    start = pdf.index(b"<< /Length")
    exploding = pdf[:start] + stream + pdf[pdf.index(b"endstream", start) + 9 :]
    small = replace(reader, limits=replace(LIMITS, memory_bytes=200 * 1024**2))
    reading = await small.read(exploding, "run_1")
    assert reading.text == ""
    assert reading.problem is not None


async def test_b11_the_program_sees_no_network_no_files_and_no_secrets(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    spy = f"""
import json, os, socket
found = [os.path.exists({str(tmp_path / "secret")!r}), sorted(os.environ.get("HOME", "")) != [], os.listdir(".")]
try:
    socket.create_connection(("127.0.0.1", 9), 1)
except OSError as error:
    found.append(type(error).__name__)
try:
    open("made", "w")
except OSError as error:
    found.append(type(error).__name__)
print(json.dumps({{"text": repr(found)}}))
"""
    spying = replace(reader, program=program(tmp_path, spy))
    reading = await spying.read(b"", "run_1")
    assert reading.text.startswith("[False, True, [], ")
    assert reading.text.count("Error") == 2


async def test_b11_time_and_memory_are_bounded(reader: Reader, tmp_path: Path) -> None:
    endless = replace(reader, program=program(tmp_path, "while True: pass"), limits=replace(LIMITS, seconds=1.5))
    assert (await endless.read(b"", "run_1")).problem == TOO_LONG
    greedy = replace(reader, program=program(tmp_path, "kept = bytearray(2_000_000_000)"))
    assert (await greedy.read(b"", "run_1")).problem == TOO_MUCH


async def test_b11_without_a_fence_nothing_is_read(tmp_path: Path) -> None:
    assert (await Reader(lambda: None, Path(documents.__file__), tmp_path).read(b"words", "run_1")).problem == NO_FENCE


def test_b11_a_program_that_was_killed_is_told_from_one_that_gave_up() -> None:
    ended = Finished(1, "no json", False, False, None, 0.1, 1)
    assert understand(ended).problem == DAMAGED
    assert understand(replace(ended, exit_code=None, killed="memory")).problem == TOO_MUCH
    assert understand(replace(ended, output='warning\n{"text": "x", "what": "y"}\n')).text == "x"
    assert understand(replace(ended, output='{"strange": 1}')).problem == DAMAGED
