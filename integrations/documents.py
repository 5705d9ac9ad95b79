"""A program that reads one document from its standard input and says on the last line of its output what it says.

    python -I documents.py LIBRARIES < report.pdf       {"text": "…", "what": "PDF, 3 pages", "cut": false, "title": ""}
    python -I documents.py LIBRARIES page < index.html  the same for what a web page shows

Or {"problem": "…"}; a damaged document ends it with an error. It runs in a fence of its own, for what it is handed may
be made to do harm, and knows nothing of the product. What a document is, its bytes say, never its name.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from html.parser import HTMLParser
from xml.etree import ElementTree

LONGEST = 400_000  # characters
MEMBER = 64_000_000  # bytes of one file in an archive, unpacked
LISTED = 200
CELLS = 50
HEAVY = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!": "RAR", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
SPACES = "\r\n\t\f\v\xa0\u200b\u200c\u200d\u200e\u200f\ufeff\u2028\u2029\u3000"
SCANNED = "It holds no text that can be read (it may be a scan): send its pages as pictures."
UNKNOWN = "It is no text, PDF, office document or archive."
LOCKED = "It is protected by a password: send it without one."
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
HTML = re.compile(r"<(!doctype|html|head|body)\b", re.IGNORECASE)
TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
SILENT = frozenset({"script", "style", "noscript", "template", "svg", "head", "nav", "footer", "form", "iframe"})
BLOCKS = frozenset(
    {"p", "div", "li", "tr", "br", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article", "pre", "td"}
)


class ProblemError(Exception):
    """Why a document cannot be read, in one sentence."""


@dataclass(frozen=True)
class Reading:
    """What a document says; `what` it is, in a few words, and whether its end is `cut` off."""

    text: str
    what: str
    cut: bool = False
    title: str = ""


def read(content: bytes, *, is_page: bool = False) -> Reading:
    """Raises ProblemError, and whatever a damaged document makes a library raise."""
    if b"%PDF-" in content[:1024]:
        return read_pdf(content)
    if content.startswith(b"PK\x03\x04"):
        return read_zip(content)
    if content[257:262] == b"ustar" or content.startswith(b"\x1f\x8b"):
        return read_tar(content)
    heavy = next((name for start, name in HEAVY.items() if content.startswith(start)), None)
    if heavy is not None:
        raise ProblemError(f"Files packed with {heavy} are not read: send what is in it, or a zip of it.")
    text = decode(content)
    return read_page(text) if is_page and HTML.search(text[:4096]) else plain(text)


def gather(parts: Iterable[str], what: str) -> Reading:
    """The parts, a line each, as far as there is room."""
    kept: list[str] = []
    room = LONGEST
    for part in parts:
        room -= len(part) + 1
        if room < 0:
            kept.append(part[: max(0, room + len(part))])
            return Reading("\n".join(kept).strip(), what, cut=True)
        kept.append(part)
    return Reading("\n".join(kept).strip(), what)


def plain(text: str) -> Reading:
    lines = text.count("\n") + 1
    return Reading(text[:LONGEST], f"text, {lines} line{'s' if lines != 1 else ''}", len(text) > LONGEST)


def decode(content: bytes) -> str:
    """Text in the encodings that people use. Raises ProblemError for what is none."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content[:8192]:
        raise ProblemError(UNKNOWN)
    text = _letters(content)
    odd = sum(letter == "\ufffd" or not (letter.isprintable() or letter in SPACES) for letter in text[:8192])
    if odd > len(text[:8192]) // 50:
        raise ProblemError(UNKNOWN)
    return text


def _letters(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return content.decode("utf-8-sig", errors="ignore")
    return content.decode("cp1252", errors="replace")


# -- PDF


def read_pdf(content: bytes) -> Reading:
    from pypdf import PdfReader
    from pypdf.errors import DependencyError

    document = PdfReader(io.BytesIO(content))
    try:
        if document.is_encrypted and not document.decrypt(""):
            raise ProblemError(LOCKED)
    except DependencyError:
        raise ProblemError(LOCKED) from None
    count = len(document.pages)
    reading = gather((page.extract_text() for page in document.pages), f"PDF, {_pages(count)}")
    if not reading.text:
        raise ProblemError(SCANNED)
    return reading


def _pages(count: int) -> str:
    return f"{count} page{'s' if count != 1 else ''}"


# -- archives and office documents, which are archives


def read_zip(content: bytes) -> Reading:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = set(archive.namelist())
        if "word/document.xml" in names:
            return gather(_docx(archive), "Word document")
        if "xl/workbook.xml" in names:
            return gather(_xlsx(archive), "Excel table")
        if "ppt/presentation.xml" in names:
            return gather(_pptx(archive), "PowerPoint presentation")
        if "mimetype" in names and b"opendocument" in _member(archive, "mimetype"):
            return gather(_odf(archive), "OpenDocument file")
        entries = archive.infolist()
        return _listing(
            ((entry.filename, entry.file_size) for entry in entries), f"zip archive, {len(entries)} entries"
        )


def read_tar(content: bytes) -> Reading:
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:*") as archive:
            return _listing(((entry.name, entry.size) for entry in archive), "tar archive")
    except tarfile.ReadError:
        raise ProblemError("It is packed with gzip: send what is in it, or a zip of it.") from None


def _listing(entries: Iterable[tuple[str, int]], what: str) -> Reading:
    lines: list[str] = []
    for name, size in entries:
        if len(lines) == LISTED:
            return Reading("\n".join(lines), f"{what}: their names alone are read", cut=True)
        lines.append(f"{name} ({size:,} bytes)")
    return Reading("\n".join(lines), f"{what}: their names alone are read")


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as member:
        content = member.read(MEMBER + 1)
    if len(content) > MEMBER:
        raise ProblemError(f"It unpacks to more than {MEMBER:,} bytes: that is not read.")
    return content


def _elements(content: bytes, *tags: str) -> Iterator[ElementTree.Element]:
    """Elements of these names as they end, each emptied when the next one is asked for."""
    for _, element in ElementTree.iterparse(io.BytesIO(content)):
        if element.tag in tags:
            yield element
            element.clear()


def _docx(archive: zipfile.ZipFile) -> Iterator[str]:
    for paragraph in _elements(_member(archive, "word/document.xml"), f"{W}p"):
        yield "".join(_run(element) for element in paragraph.iter())


def _run(element: ElementTree.Element) -> str:
    if element.tag == f"{W}t":
        return element.text or ""
    return {f"{W}tab": "\t", f"{W}br": "\n"}.get(element.tag, "")


def _xlsx(archive: zipfile.ZipFile) -> Iterator[str]:
    names = archive.namelist()
    shared: list[str] = []
    if "xl/sharedStrings.xml" in names:
        items = _elements(_member(archive, "xl/sharedStrings.xml"), f"{S}si")
        shared = ["".join(part.text or "" for part in item.iter(f"{S}t")) for item in items]
    for number, name in enumerate(_numbered(names, r"xl/worksheets/sheet(\d+)\.xml"), 1):
        yield f"Sheet {number}:"
        for row in _elements(_member(archive, name), f"{S}row"):
            yield "\t".join(_cell(cell, shared) for cell in list(row.iter(f"{S}c"))[:CELLS])


def _cell(cell: ElementTree.Element, shared: list[str]) -> str:
    value = cell.findtext(f"{S}v") or ""
    if cell.get("t") == "s" and value.isdecimal() and int(value) < len(shared):
        return shared[int(value)]
    return value or "".join(part.text or "" for part in cell.iter(f"{S}t"))


def _pptx(archive: zipfile.ZipFile) -> Iterator[str]:
    for number, name in enumerate(_numbered(archive.namelist(), r"ppt/slides/slide(\d+)\.xml"), 1):
        yield f"Slide {number}:"
        for paragraph in _elements(_member(archive, name), f"{A}p"):
            yield "".join(part.text or "" for part in paragraph.iter(f"{A}t"))


def _odf(archive: zipfile.ZipFile) -> Iterator[str]:
    content = _member(archive, "content.xml")
    rows, paragraphs = f"{TABLE}table-row", (f"{TEXT}p", f"{TEXT}h")
    if rows.encode().rpartition(b"}")[2] not in content:
        yield from ("".join(element.itertext()) for element in _elements(content, *paragraphs))
        return
    for row in _elements(content, rows):
        yield "\t".join("".join(cell.itertext()) for cell in list(row.iter(f"{TABLE}table-cell"))[:CELLS])


def _numbered(names: Iterable[str], pattern: str) -> list[str]:
    found = ((int(match[1]), name) for name in names if (match := re.fullmatch(pattern, name)))
    return [name for _, name in sorted(found)]


# -- web pages


def read_page(html: str) -> Reading:
    page = Page()
    page.feed(html)
    page.close()
    lines = (re.sub(r"[ \t\r\f\v\xa0]+", " ", line).strip() for line in "".join(page.parts).split("\n"))
    reading = gather((line for line in lines if line), "web page")
    title = " ".join((page.meta.get("og:title") or page.title).split())
    if not reading.text:
        return Reading(page.meta.get("description", ""), reading.what, title=title)
    return Reading(reading.text, reading.what, reading.cut, title)


class Page(HTMLParser):
    """What a page shows: its title, its text line by line, and what it says of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.parts: list[str] = []
        self.meta: dict[str, str] = {}
        self._silent: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "meta":
            self.meta.setdefault(named.get("property") or named.get("name") or "", named.get("content") or "")
        elif tag == "title" and not self.title:
            self._in_title = True
        elif tag in SILENT:
            self._silent.append(tag)
        elif tag == "body":
            self._silent.clear()
        if tag in BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag in self._silent:
            del self._silent[self._silent.index(tag) :]
        elif tag in BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif not self._silent:
            self.parts.append(data)


def answer(content: bytes, *, is_page: bool) -> dict[str, object]:
    """What the program says."""
    try:
        return asdict(read(content, is_page=is_page))
    except ProblemError as problem:
        return {"problem": str(problem)}
    except MemoryError:
        return {"problem": "Reading it takes more memory than it may have."}


def main(arguments: list[str]) -> None:
    libraries, *options = arguments
    sys.path.insert(0, libraries)
    said = answer(sys.stdin.buffer.read(), is_page="page" in options)
    sys.stdout.write(f"\n{json.dumps(said)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
