"""Small files of many kinds, made here: real enough for whoever looks at their bytes."""

from __future__ import annotations

import io
import struct
import wave
import zipfile
import zlib
from collections.abc import Mapping, Sequence

GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)


def make_png(width: int = 1, height: int = 1) -> bytes:
    """A black picture."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1 + width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def make_jpeg(width: int = 1, height: int = 1) -> bytes:
    """The segments of a picture, without its data: enough for who asks what it is and how large."""
    frame = struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xc0" + frame + b"\xff\xd9"


def make_wav(seconds: float = 0.1) -> bytes:
    """Silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8_000)
        sound.writeframes(bytes(int(16_000 * seconds)))
    return file.getvalue()


def make_ogg(size: int = 2_000) -> bytes:
    return b"OggS" + bytes(size)


def make_pdf(*pages: str) -> bytes:
    """A PDF whose pages say these texts."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects += [
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        shown = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET".encode()
        fonts = "<< /Font << /F1 3 0 R >> >>"
        place = f"/Parent 2 0 R /MediaBox [0 0 612 792] /Resources {fonts} /Contents {5 + 2 * number} 0 R"
        objects += [
            f"<< /Type /Page {place} >>".encode(),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(shown), shown),
        ]
    return _assembled(objects)


def _assembled(objects: list[bytes]) -> bytes:
    file = io.BytesIO()
    file.write(b"%PDF-1.4\n")
    places: list[int] = []
    for number, content in enumerate(objects, 1):
        places.append(file.tell())
        file.write(b"%d 0 obj\n%s\nendobj\n" % (number, content))
    start = file.tell()
    file.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    file.writelines(b"%010d 00000 n \n" % place for place in places)
    file.write(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))
    return file.getvalue()


def make_zip(files: Mapping[str, str | bytes]) -> bytes:
    """An archive of these files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def make_docx(*paragraphs: str) -> bytes:
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    body = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    return make_zip({"word/document.xml": f"<w:document {space}><w:body>{body}</w:body></w:document>"})


def make_xlsx(*rows: Sequence[str]) -> bytes:
    """A table whose first column is shared strings and whose others are inline."""
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    shared = "".join(f"<si><t>{row[0]}</t></si>" for row in rows)
    lines = (
        f'<c t="s"><v>{number}</v></c>' + "".join(f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in row[1:])
        for number, row in enumerate(rows)
    )
    sheet = "".join(f"<row>{line}</row>" for line in lines)
    return make_zip(
        {
            "xl/workbook.xml": f"<workbook {space}/>",
            "xl/sharedStrings.xml": f"<sst {space}>{shared}</sst>",
            "xl/worksheets/sheet1.xml": f"<worksheet {space}><sheetData>{sheet}</sheetData></worksheet>",
        }
    )


def make_pptx(*slides: str) -> bytes:
    space = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    pages = {
        f"ppt/slides/slide{number}.xml": f"<s {space}><a:p><a:r><a:t>{text}</a:t></a:r></a:p></s>"
        for number, text in enumerate(slides, 1)
    }
    return make_zip({"ppt/presentation.xml": "<p/>", **pages})


def make_odt(*paragraphs: str) -> bytes:
    space = 'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    body = "".join(f"<text:p>{text}</text:p>" for text in paragraphs)
    return make_zip({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": f"<o {space}>{body}</o>"})


def make_ods(*rows: Sequence[str]) -> bytes:
    space = 'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
    cells = ("".join(f"<table:table-cell>{text}</table:table-cell>" for text in row) for row in rows)
    body = "".join(f"<table:table-row>{line}</table:table-row>" for line in cells)
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    return make_zip({"mimetype": kind, "content.xml": f"<o {space}>{body}</o>"})


PNG, JPEG, WAV = make_png(), make_jpeg(), make_wav()
