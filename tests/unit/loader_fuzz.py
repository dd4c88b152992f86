"""Seeded mutation of files: bytes flipped, cut, repeated and pasted, and words that hurt parsers put in."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable

_HURTFUL = {
    "txt": [
        b"\x00" * 50,
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\x0c",
        b"\xe2\x80\xae",
        b"\r",
        b"\x1b[2J",
        b"a" * 5000,
    ],
    "md": [
        b"[" * 300,
        b"> " * 200,
        b"- " * 200,
        b"```",
        b"|" * 200,
        b"<div hidden>",
        b"<!--",
        b"*" * 400,
        b"---\n",
    ],
    "html": [
        b"<div>" * 300,
        b"</div>" * 20,
        b"<table><tr><td>",
        b"<!--",
        b"<![CDATA[",
        b"<script>",
        b"<li>",
        b"&#x110000;",
        b"&nbsp",
        b"<p hidden",
        b"<a " + b"x=1 " * 200,
        b"<style>{}@media{",
        b"<svg/><title>",
    ],
    "csv": [b'"', b'""', b";" * 500, b"\n" * 100, b"sep=;\n", b"\t", b"'", b"\x00", b"a" * 5000],
    "json": [
        b"[" * 2000,
        b"{",
        b"}",
        b'"',
        b"\\ud800",
        b"1e999",
        b"-" * 20,
        b"9" * 5000,
        b"null",
        b'{"a":' * 50,
    ],
    "yaml": [
        b"&a ",
        b"*a ",
        b"- " * 300,
        b"[" * 300,
        b"? ",
        b"<<: *base\n",
        b"!!python/object ",
        b"---\n",
        b"|\n",
        b"%",
    ],
    "xml": [
        b"<a>" * 300,
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
        b"&amp;",
        b"&b;",
        b"<![CDATA[",
        b"<?x",
        b"\x00",
        b"</a>",
        b" a='1'" * 50,
        b"encoding='utf-16'",
    ],
    "pdf": [
        b"endobj",
        b"stream",
        b"endstream",
        b"<<" * 200,
        b"[" * 300,
        b"/Length 99999999",
        b"1 0 R",
        b"/Kids[2 0 R]",
        b"/Filter/LZWDecode",
        b"/Encrypt 4 0 R",
        b"startxref\n0",
        b"/Count 99999999",
        b"trailer",
        b"-1",
    ],
}
_HURTFUL["jsonl"] = [
    *_HURTFUL["json"],
    b"\n",
    b'"headings": [[9, 1, "x"]], ',
    b'"pages": [5, 3], ',
    b'"id": [1], ',
]
_HURTFUL["docx"] = [
    *_HURTFUL["xml"],
    b"<w:p>" * 200,
    b"</w:p>",
    b"<w:tbl>",
    b'<w:br w:type="page"/>',
    b"PK\x03\x04",
]


def mutate(data: bytes, kind: str, chance: random.Random) -> bytes:
    """A broken variant of a file of this kind."""
    if kind == "docx" and chance.random() < 0.7:
        return _mutate_member(data, chance)
    result = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 3, 6, 12))):
        chance.choice(_WAYS)(result, kind, chance)
    return bytes(result)


def _mutate_member(data: bytes, chance: random.Random) -> bytes:
    """Mutate the XML inside of a docx, so that the zip file itself stays whole."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as source,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        names = ["word/document.xml", "word/styles.xml", "docProps/core.xml"]
        chosen = chance.choice([names[0], names[0], *names])
        for name in ("[Content_Types].xml", *names):
            content = bytearray(source.read(name))
            if name == chosen:
                for _ in range(chance.choice((1, 1, 2, 4))):
                    chance.choice(_WAYS)(content, "docx", chance)
            target.writestr(name, bytes(content))
    return stream.getvalue()


def _flip(data: bytearray, kind: str, chance: random.Random) -> None:
    for _ in range(min(len(data), chance.choice((1, 4, 30)))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _set(data: bytearray, kind: str, chance: random.Random) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.choice((0, 9, 10, 13, 32, 34, 60, 62, 127, 128, 255))


def _cut(data: bytearray, kind: str, chance: random.Random) -> None:
    start, size = _span(data, chance)
    del data[start : start + size]


def _truncate(data: bytearray, kind: str, chance: random.Random) -> None:
    if chance.random() < 0.5:
        del data[chance.randrange(len(data) + 1) :]


def _repeat(data: bytearray, kind: str, chance: random.Random) -> None:
    start, size = _span(data, chance)
    part = bytes(data[start : start + size])
    data[start:start] = part * chance.choice((1, 2, 20))


def _move(data: bytearray, kind: str, chance: random.Random) -> None:
    start, size = _span(data, chance)
    part = bytes(data[start : start + size])
    del data[start : start + size]
    place = chance.randrange(len(data) + 1)
    data[place:place] = part


def _hurt(data: bytearray, kind: str, chance: random.Random) -> None:
    place = chance.randrange(len(data) + 1)
    data[place:place] = chance.choice(_HURTFUL[kind])


def _noise(data: bytearray, kind: str, chance: random.Random) -> None:
    place = chance.randrange(len(data) + 1)
    data[place:place] = chance.randbytes(chance.choice((1, 8, 200)))


def _span(data: bytearray, chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    return start, chance.choice((1, 4, 32, 256))


_WAYS: tuple[Callable[[bytearray, str, random.Random], None], ...] = (
    _flip,
    _set,
    _cut,
    _truncate,
    _repeat,
    _move,
    _hurt,
    _hurt,
    _noise,
)
