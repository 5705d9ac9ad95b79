"""What the reading program makes of each kind of document; tests/runtime/test_reader.py shows how it is fenced."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter

from integrations import documents
from integrations.documents import LONGEST, ProblemError, Reading, read
from tests.world.content import PNG, make_docx, make_ods, make_odt, make_pdf, make_pptx, make_xlsx, make_zip

PAGE = """<!doctype html><html><head><title>A  page</title><style>p {}</style>
<meta name="description" content="What it is about"></head>
<body><nav>Menu</nav><h1>Head</h1>
<p>One &amp; <b>two</b></p><script>no()</script><ul><li>three<li>four</ul></body></html>"""


def make_tar(**files: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def make_locked_pdf() -> bytes:
    writer, file = PdfWriter(), io.BytesIO()
    writer.append(PdfReader(io.BytesIO(make_pdf("secret"))))
    writer.encrypt("password", algorithm="RC4-128")
    writer.write(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "reading"),
    [
        (make_pdf("First page", "Second page"), Reading("First page\nSecond page", "PDF, 2 pages")),
        (make_docx("One", "Two"), Reading("One\nTwo", "Word document")),
        (make_xlsx(("a", "b"), ("c", "4")), Reading("Sheet 1:\na\tb\nc\t4", "Excel table")),
        (make_pptx("Hello", "Bye"), Reading("Slide 1:\nHello\nSlide 2:\nBye", "PowerPoint presentation")),
        (make_odt("One", "Two"), Reading("One\nTwo", "OpenDocument file")),
        (make_ods(("a", "b"), ("c", "d")), Reading("a\tb\nc\td", "OpenDocument file")),
        (b"print('hi')\n", Reading("print('hi')\n", "text, 2 lines")),
        ("größer".encode("cp1252"), Reading("größer", "text, 1 line")),
        ("größer".encode("utf-16"), Reading("größer", "text, 1 line")),
        ("größ".encode() + b"\xc3", Reading("größ", "text, 1 line")),
        (b"", Reading("", "text, 1 line")),
        (
            make_zip({"a/b.txt": "hello", "c.txt": ""}),
            Reading("a/b.txt (5 bytes)\nc.txt (0 bytes)", "zip archive, 2 entries: their names alone are read"),
        ),
        (make_tar(a=b"12"), Reading("a (2 bytes)", "tar archive: their names alone are read")),
        (PAGE.encode(), Reading(PAGE, "text, 4 lines")),
    ],
    ids=[f"document {number}" for number in range(14)],
)
def test_b11_each_kind_of_document_is_read(content: bytes, reading: Reading) -> None:
    assert read(content) == reading


def test_b10_of_a_web_page_what_it_shows_is_read() -> None:
    assert read(PAGE.encode(), is_page=True) == Reading("Head\nOne & two\nthree\nfour", "web page", title="A page")
    hidden = b"<html><head><title>App</title><meta name=description content='An app'></head><body><div></div></body>"
    assert read(hidden, is_page=True) == Reading("An app", "web page", title="App")
    assert read(b"just words", is_page=True).what == "text, 1 line"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (PNG, "no text, PDF, office document or archive"),
        (bytes(range(1, 160)) * 20, "no text, PDF, office document or archive"),
        (make_pdf(""), "may be a scan"),
        (make_locked_pdf(), "protected by a password"),
        (gzip.compress(b"words"), "packed with gzip"),
        (b"7z\xbc\xaf\x27\x1c", "packed with 7z"),
        (make_zip({"word/document.xml": bytes(65_000_000)}), "unpacks to more than 64,000,000 bytes"),
    ],
    ids=["picture", "bytes", "scan", "locked", "gzip", "7z", "explodes"],
)
def test_b11_what_cannot_be_read_is_said_in_a_sentence(content: bytes, problem: str) -> None:
    with pytest.raises(ProblemError, match=problem):
        read(content)


def test_b11_a_long_document_is_cut_and_says_so() -> None:
    text = read(("word " * LONGEST).encode())
    assert (len(text.text), text.cut) == (LONGEST, True)
    table = read(make_ods(*[("x" * 40_000,)] * 12))
    assert (table.cut, len(table.text) <= LONGEST) == (True, True)
    many = read(make_zip({f"{number}": "" for number in range(300)}))
    assert (many.cut, many.text.count("\n")) == (True, 199)


def test_b11_the_program_says_it_on_its_last_line() -> None:
    command = [sys.executable, "-I", documents.__file__, str(Path(documents.__file__).parent)]
    ended = subprocess.run([*command], input=b"words", capture_output=True, check=True, timeout=60)
    assert json.loads(ended.stdout.splitlines()[-1])["text"] == "words"
    refused = subprocess.run([*command, "page"], input=PNG, capture_output=True, check=True, timeout=60)
    assert "problem" in json.loads(refused.stdout.splitlines()[-1])


def test_b11_a_document_that_takes_too_much_memory_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def burst(content: bytes, *, is_page: bool) -> Reading:
        raise MemoryError

    monkeypatch.setattr(documents, "read", burst)
    assert documents.answer(b"", is_page=False) == {"problem": "Reading it takes more memory than it may have."}
