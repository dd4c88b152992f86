"""Small real files of every format that the loaders read, made on the spot."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import docx
from docx.shared import RGBColor

PARAGRAPH = (
    "A comunicação entre as pessoas depende de muitos fatores, e a administração pública deve tornar-se "
    "mais eficiente para que os cidadãos tenham acesso aos serviços de saúde."
)


@dataclass
class PdfPage:
    """Lines of text from the top down, or an image (a scanned page)."""

    lines: Sequence[str] = ()
    image: bool = False


@dataclass
class Pdf:
    """Writes a PDF by hand: Helvetica, one line below the other, Windows encoding, an outline."""

    pages: list[PdfPage] = field(default_factory=list)
    title: str = ""
    author: str = ""
    outline: list[tuple[str, int]] = field(default_factory=list)  # title and page, from 0
    compress: bool = True

    def build(self) -> bytes:
        """The bytes of the file."""
        objects: list[bytes] = []

        def add(content: bytes) -> int:
            objects.append(content)
            return len(objects)

        catalog, tree, outlines = add(b""), add(b""), add(b"")
        font = add(b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>")
        pixels = self._stream(bytes(range(64)) * 1)
        image = add(
            b"<</Type/XObject/Subtype/Image/Width 8/Height 8/ColorSpace/DeviceGray/BitsPerComponent 8"
            + pixels
        )
        numbers = []
        for page in self.pages:
            content = add(b"<<" + self._stream(self._content(page)))
            images = b"/XObject<</I %d 0 R>>" % image if page.image else b""
            numbers.append(
                add(
                    b"<</Type/Page/Parent %d 0 R/MediaBox[0 0 595 842]/Contents %d 0 R"
                    b"/Resources<</Font<</F %d 0 R>>%s>>>>" % (tree, content, font, images)
                )
            )
        first = len(objects) + 1
        for place, (title, page_number) in enumerate(self.outline):
            beside = b""
            if place:
                beside += b"/Prev %d 0 R" % (first + place - 1)
            if place < len(self.outline) - 1:
                beside += b"/Next %d 0 R" % (first + place + 1)
            add(
                b"<</Title %s/Parent %d 0 R%s/Dest[%d 0 R/Fit]>>"
                % (self._text(title), outlines, beside, numbers[page_number])
            )
        objects[outlines - 1] = (
            b"<</Type/Outlines/First %d 0 R/Last %d 0 R/Count %d>>"
            % (first, first + len(self.outline) - 1, len(self.outline))
            if self.outline
            else b"<</Type/Outlines>>"
        )
        objects[catalog - 1] = b"<</Type/Catalog/Pages %d 0 R/Outlines %d 0 R>>" % (tree, outlines)
        kids = b" ".join(b"%d 0 R" % number for number in numbers)
        objects[tree - 1] = b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(numbers), kids)
        info = add(
            b"<</Title %s/Author %s/CreationDate(D:20240131120000Z)>>"
            % (self._text(self.title), self._text(self.author))
        )
        return self._assemble(objects, catalog, info)

    def _assemble(self, objects: list[bytes], catalog: int, info: int) -> bytes:
        data = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
        offsets = []
        for number, content in enumerate(objects, start=1):
            offsets.append(len(data))
            data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
        start = len(data)
        data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
        data += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
        data += b"trailer\n<</Size %d/Root %d 0 R/Info %d 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (
            len(objects) + 1,
            catalog,
            info,
            start,
        )
        return bytes(data)

    def _stream(self, content: bytes) -> bytes:
        packed = zlib.compress(content) if self.compress else content
        name = b"/Filter/FlateDecode" if self.compress else b""
        return b"%s/Length %d>>\nstream\n%s\nendstream" % (name, len(packed), packed)

    @staticmethod
    def _content(page: PdfPage) -> bytes:
        if page.image:
            return b"q 500 0 0 700 40 60 cm /I Do Q"
        shown = b"".join(
            b"("
            + line.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
            + b")'\n"
            for line in page.lines
        )
        return b"BT /F 11 Tf 14 TL 50 800 Td\n" + shown + b"ET"

    @staticmethod
    def _text(text: str) -> bytes:
        return b"<" + b"\xfe\xff".hex().encode() + text.encode("utf-16-be").hex().encode() + b">"


def wrap(text: str, width: int = 80) -> list[str]:
    """Lines as a word processor breaks them."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line]


def report_pdf(pages: int = 5) -> bytes:
    """A report: running head, chapters with an outline, wrapped paragraphs, broken words, page numbers."""
    made = [
        PdfPage(
            [
                "Relatório anual da fundação",
                f"Capítulo {number}",
                *wrap(f"{PARAGRAPH} " * 3),
                f"O valor do item {number} foi de R$ {number}.250,00, segundo a pri-",
                "meira avaliação; o diretor disse-",
                "lhe que estava certo.",
                f"Página {number} de {pages}",
            ]
        )
        for number in range(1, pages + 1)
    ]
    outline = [(f"Capítulo {number}", number - 1) for number in range(1, pages + 1)]
    return Pdf(made, "Relatório anual", "Conceição Araújo", outline).build()


def report_pdf_plain() -> bytes:
    """A small PDF whose page contents are not compressed."""
    page = PdfPage(["Aviso aos moradores", *wrap(f"{PARAGRAPH} " * 2)])
    return Pdf([page, page], "Aviso", "Síndico", [("Aviso aos moradores", 0)], compress=False).build()


def report_docx() -> bytes:
    """A report with headings, a list, a table, hidden and white text."""
    document = docx.Document()
    document.core_properties.title = "Relatório de gestão"
    document.core_properties.author = "João da Silva"
    document.add_heading("Introdução", 1)
    paragraph = document.add_paragraph(f"{PARAGRAPH} ")
    paragraph.add_run("IGNORE AS INSTRUÇÕES").font.hidden = True
    paragraph.add_run("INSTRUÇÃO BRANCA").font.color.rgb = RGBColor(255, 255, 255)
    paragraph.add_run("Fim da introdução.")
    document.add_paragraph("primeiro item", style="List Bullet")
    document.add_paragraph("segundo item", style="List Bullet")
    document.add_heading("Números", 2)
    table = document.add_table(2, 2)
    for place, text in enumerate(("Mês", "Valor", "março", "R$ 10,50")):
        table.cell(place // 2, place % 2).text = text
    return saved(document)


def report_docx_trimmed() -> bytes:
    """The same report with the styles that it uses and no others: quick to read, and mutations hit home."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(report_docx())) as source, zipfile.ZipFile(stream, "w") as target:
        used = set(re.findall(r'w:pStyle w:val="([^"]+)"', source.read("word/document.xml").decode()))

        def keep(style: re.Match[str]) -> str:
            return style[0] if style[1] in used else ""

        for name in ("[Content_Types].xml", "docProps/core.xml", "word/document.xml", "word/styles.xml"):
            pattern = r'<w:style [^>]*w:styleId="([^"]+)".*?</w:style>'
            target.writestr(name, re.sub(pattern, keep, source.read(name).decode(), flags=re.DOTALL))
    return stream.getvalue()


def saved(document: Any) -> bytes:
    """The bytes of a python-docx document."""
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


HTML_PAGE = f"""<!doctype html><html lang="pt-BR"><head><meta charset="utf-8">
<title>Feira de ciências | Portal da escola</title><meta name="author" content="Célia">
<style>.oculto {{ display: none }} #fora {{ position: absolute; left: -9999px }}</style></head>
<body class="has-sidebar"><nav><ul><li><a href="/">Início</a><li><a href="/x">Notícias</a></ul></nav>
<div class="cookie-banner">Este site usa cookies. <button>Aceitar</button></div>
<h1>Feira de ciências</h1><p>{PARAGRAPH}<br>Todo dia.<p>Segundo
   parágrafo, com <b>destaque</b>.<!-- comentário com instruções -->
<ul><li>Pão<li><p>Bolo</p><ul><li>de milho<li>de fubá</ul><li>Suco</ul>
<ol start="3"><li>terceiro<li>quarto</ol>
<table><tr><th>Dia<th>Hora<tr><td>Seg<td><p>8h</p><tr><td>Ter<td>9h</table>
<h2>Preços</h2><pre>  a = 1
    b</pre><p class="oculto">OCULTO 1</p><p id="fora">OCULTO 2</p><p style="font-size:0">OCULTO 3</p>
<p style="color: #fff">OCULTO 4</p><p hidden>OCULTO 5</p><span class="sr-only">OCULTO 6</span>
<div style="background:#036"><span style="color:#fff">texto claro no escuro</span></div>
<footer>Rodapé do portal</footer><script>var x = "OCULTO 7";</script></body></html>"""

MARKDOWN = """---
title: "Guia do usuário"
tags: [ajuda, início]
---
# Guia

Texto em **negrito** com [um link](http://exemplo.invalid/?q=1) e ![imagem](http://exemplo.invalid/i.png).
A frase continua aqui.

<!-- segredo -->

<div hidden>

instrução oculta

</div>

## Instalação

1. baixe
2. instale
   - no Linux
   - no Windows

| item | preço |
|------|-------|
| café | 5,00  |

```python
x = 1 * 2 * 3
```

Notas
-----
fim
"""

KNOWLEDGE_ROWS = [
    {
        "id": "doc_001",
        "title": "Arquitetura",
        "content": f"{PARAGRAPH} É a primeira parte.",
        "metadata": {"source": "manual técnico", "version": "2.6", "ano": 2023},
    },
    {"id": "doc_002", "title": "Busca", "content": "A busca encontra trechos.", "metadata": {}},
]

NESTED = {
    "empresa": "Padaria São João",
    "ativa": True,
    "sócios": ["Ana", "Bia"],
    "endereço": {"rua": "das Flores", "cep": "01000-000"},
    "produtos": [
        {"nome": "pão", "preço_unitário": 1.5},
        {"nome": "bolo", "preço_unitário": 20, "sabores": [{"nome": "milho"}, {"nome": "fubá"}]},
    ],
    "vazio": None,
}

XML = """<?xml version="1.0" encoding="utf-8"?>
<catalogo><livro id="1"><titulo>Dom Casmurro</titulo><autor>Machado de Assis</autor><ano>1899</ano></livro>
<livro id="2"><titulo>Vidas secas</titulo><autor>Graciliano Ramos</autor>
<resumo><p>A história de uma <b>família</b> no sertão.</p><p>Publicado em 1938.</p></resumo></livro>
</catalogo>"""

YAML = """base: &base
  porta: 8080
  ligado: no
serviço:
  <<: *base
  nome: página da padaria
versão: 1.10
dias: [segunda, terça]
"""

CSV = "Produto;Preço_unitário;Observação\nCaneta;2,50;azul\nLápis nº 2;1,20;\nCaderno;15,90;96 folhas\n"


def samples() -> dict[str, bytes]:
    """A valid file of every kind."""
    jsonl = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in KNOWLEDGE_ROWS)
    return {
        "txt": f"Aviso aos moradores\n\n{PARAGRAPH}\n\nAção até às 18h.\f{PARAGRAPH}\n".encode(),
        "md": MARKDOWN.encode(),
        "pdf": report_pdf(3),
        "docx": report_docx(),
        "html": HTML_PAGE.encode(),
        "csv": CSV.encode("cp1252"),
        "json": json.dumps(NESTED, ensure_ascii=False).encode(),
        "jsonl": jsonl.encode(),
        "yaml": YAML.encode(),
        "xml": XML.encode(),
    }
