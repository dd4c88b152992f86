"""PDF and Word documents."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import docx
import pypdf
import pytest
from tests.unit.loader_samples import PARAGRAPH, Pdf, PdfPage, report_docx, report_pdf, saved, wrap

from lunagpt.data import Document
from lunagpt.data.loaders import DEFAULT_LIMITS, Limits
from lunagpt.data.loaders import pdf as pdf_module
from lunagpt.data.loaders.parsing import parse_bytes
from lunagpt.data.loaders.pdf_text import mend_pages
from lunagpt.data.loaders.problems import FileProblem


@pytest.fixture(params=["pdfium", "pypdf"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both libraries that read PDFs."""
    name: str = request.param
    if name == "pypdf":
        monkeypatch.setattr(pdf_module, "find_spec", lambda _: None)
    return name


def read(data: bytes, kind: str = "pdf", limits: Limits = DEFAULT_LIMITS) -> Document:
    documents, _ = parse_bytes(data, f"meu_arquivo.{kind}", kind, limits)
    assert len(documents) == 1
    return documents[0]


def notes(data: bytes, limits: Limits = DEFAULT_LIMITS) -> list[str]:
    return parse_bytes(data, "a.pdf", "pdf", limits)[1]


def chapter(number: int) -> str:
    paragraphs = " ".join([PARAGRAPH] * 3)
    return (
        f"Capítulo {number}\n\n{paragraphs}\n\nO valor do item {number} foi de R$ {number}.250,00, segundo a "
        "primeira avaliação; o diretor disse-lhe que estava certo."
    )


def test_pdf(library: str) -> None:
    document = read(report_pdf(5))
    assert document.content == "\n\n".join(chapter(number) for number in range(1, 6))
    assert document.title == "Relatório anual"
    assert document.metadata == {
        "source": "meu_arquivo.pdf",
        "file_type": "pdf",
        "author": "Conceição Araújo",
        "date": "2024-01-31",
    }
    assert len(document.pages) == 5
    for number, (heading, page) in enumerate(zip(document.headings, document.pages, strict=True), start=1):
        assert heading.text == f"Capítulo {number}"
        assert document.content.startswith(heading.text, heading.offset)
        assert heading.offset == page
        assert document.page_at(document.content.index(f"R$ {number}.250")) == number


def test_scanned_pdf(library: str) -> None:
    scan = Pdf([PdfPage(image=True), PdfPage(image=True)])
    with pytest.raises(FileProblem, match="precisa de OCR"):
        read(scan.build())


def test_partly_scanned_pdf(library: str) -> None:
    pages = [
        PdfPage(wrap(PARAGRAPH)),
        PdfPage(image=True),
        PdfPage(image=True),
        PdfPage(["fim do documento todo"]),
    ]
    data = Pdf([*pages, PdfPage(image=True)]).build()
    assert notes(data) == [
        "sem texto nas páginas 2–3, 5 (imagens?); para ler tudo, passe por um programa de OCR"
    ]
    document = read(data)
    assert document.page_at(document.content.index("fim do documento")) == 4


def test_pdf_without_text(library: str) -> None:
    with pytest.raises(FileProblem, match="não tem texto"):
        read(Pdf([PdfPage()]).build())


def test_long_pdf_is_cut(library: str) -> None:
    data = report_pdf(4)
    limits = Limits(pages=2)
    assert notes(data, limits) == ["lidas só as primeiras 2 páginas de 4"]
    assert len(read(data, limits=limits).pages) == 2


def test_locked_pdf(library: str) -> None:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(report_pdf(1)))
    writer.encrypt("segredo", algorithm="RC4-128")
    stream = io.BytesIO()
    writer.write(stream)
    with pytest.raises(FileProblem, match="com senha"):
        read(stream.getvalue())


def test_pdf_that_only_forbids_printing_is_read(library: str) -> None:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(report_pdf(1)))
    writer.encrypt("", "dono", algorithm="RC4-128")
    stream = io.BytesIO()
    writer.write(stream)
    assert "Capítulo 1" in read(stream.getvalue()).content


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[: len(data) // 20],
        lambda data: b"%PDF-1.7\n" + b"x" * 500,
        lambda data: b"\x89PNG" + data[40:400],
        lambda data: data.replace(b"/Pages", b"/Pagos"),
    ],
)
def test_broken_pdf(spoil: Callable[[bytes], bytes], library: str) -> None:
    with pytest.raises(FileProblem, match=r"está com defeito|não tem texto"):
        read(spoil(report_pdf(1)))


def test_cut_pdf_gives_what_is_left() -> None:
    data = report_pdf(3)
    assert "Capítulo 1" in read(data[: data.rindex(b"startxref")]).content


def test_titles_that_are_none() -> None:
    page = PdfPage(wrap(PARAGRAPH))
    for title in ("", "Microsoft Word - a.doc", "tese-final.docx", "x"):
        assert read(Pdf([page], title).build()).title == "meu arquivo"


def test_bookmarks_whose_title_is_not_on_the_page() -> None:
    pages = [PdfPage(wrap(PARAGRAPH)), PdfPage(["SEGUNDA  parte", *wrap(PARAGRAPH)])]
    document = read(Pdf(pages, outline=[("Abertura", 0), ("Segunda parte", 1)]).build())
    assert [(heading.text, heading.offset) for heading in document.headings] == [
        ("Abertura", 0),
        ("Segunda parte", document.pages[1]),
    ]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("a comuni-\ncação com o público", "a comunicação com o público"),
        ("a comuni\ufffecação com o público", "a comunicação com o público"),
        ("deve tornar-\nse melhor", "deve tornar-se melhor"),
        ("o guarda-\nchuva, um guarda-chuva", "o guarda-chuva, um guarda-chuva"),
        ("veio muita gen-\nte à festa", "veio muita gente à festa"),
        ("com mais um deta-\nlhe final", "com mais um detalhe final"),
        ("entre 1990-\n2000 houve", "entre 1990-\n2000 houve"),
        ("palavras  com   espaços ,  sim .", "palavras com espaços, sim."),
        ("Título curto\nTexto.", "Título curto\nTexto."),
        ("- um\n- dois\n1) três", "- um\n- dois\n1) três"),
    ],
)
def test_mending(page: str, text: str) -> None:
    assert mend_pages([page]) == [text]


def test_lines_become_paragraphs() -> None:
    first, second = f"{PARAGRAPH} {PARAGRAPH}", f"{PARAGRAPH} Fim."
    page = "\n".join([*wrap(first), "Título", *wrap(second), "Art. 2º Fica criado."])
    assert mend_pages([page]) == [f"{first}\n\nTítulo\n\n{second}\nArt. 2º Fica criado."]


def test_lines_that_only_look_like_running_heads_stay() -> None:
    pages = [f"Tema {number}\n{PARAGRAPH[:60]}{number} e tal\nfim {number * number}" for number in range(6)]
    assert all(f"fim {n * n}" in page for n, page in enumerate(mend_pages(pages)))
    assert all(
        f"Tema {n}" in page for n, page in enumerate(mend_pages(pages, [f"Tema {n}" for n in range(6)]))
    )


def test_docx() -> None:
    document = read(report_docx(), "docx")
    assert document.title == "Relatório de gestão"
    assert document.metadata["author"] == "João da Silva"
    assert document.content == (
        f"Introdução\n\n{PARAGRAPH} Fim da introdução.\n\n- primeiro item\n- segundo item\n\n"
        "Números\n\nMês | Valor\nmarço | R$ 10,50"
    )
    assert document.heading_path_at(document.content.index("março")) == ("Introdução", "Números")


def test_docx_title_is_its_first_heading() -> None:
    made = docx.Document()
    made.add_heading("Ata da reunião", 0)
    made.add_paragraph("linha\nquebrada\tcom tabulação")
    document = read(saved(made), "docx")
    assert document.title == "Ata da reunião"
    assert document.content == "Ata da reunião\n\nlinha\nquebrada com tabulação"


W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def small_docx(body: str, **parts: str) -> bytes:
    """A docx by hand; keywords are further parts of word/."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        compatibility = "http://schemas.openxmlformats.org/markup-compatibility/2006"
        target.writestr(
            "word/document.xml",
            f'<?xml version="1.0" encoding="UTF-8"?><w:document xmlns:w="{W}" xmlns:mc="{compatibility}">'
            f"<w:body>{body}</w:body></w:document>",
        )
        for name, content in parts.items():
            target.writestr(f"word/{name}.xml", content)
    return stream.getvalue()


def paragraph(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def test_docx_pages() -> None:
    broken = "<w:p><w:r><w:lastRenderedPageBreak/><w:t>página dois</w:t></w:r></w:p>"
    document = read(small_docx(paragraph("página um") + broken + paragraph("ainda dois")), "docx")
    assert [document.page_at(document.content.index(text)) for text in ("um", "página dois", "ainda")] == [
        1,
        2,
        2,
    ]
    assert read(small_docx(paragraph("uma")), "docx").pages == ()


def test_docx_tracked_changes_fields_and_boxes() -> None:
    body = (
        "<w:p><w:del><w:r><w:delText>apagado</w:delText></w:r></w:del><w:ins><w:r><w:t>posto</w:t></w:r></w:ins>"
        "<w:r><w:instrText> HYPERLINK x </w:instrText></w:r>"
        "<w:hyperlink><w:r><w:t> no link</w:t></w:r></w:hyperlink>"
        "<w:r><mc:AlternateContent><mc:Choice><w:txbxContent>"
        + paragraph("na caixa")
        + "</w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent>"
        + paragraph("na caixa")
        + "</w:txbxContent></mc:Fallback></mc:AlternateContent></w:r></w:p>"
        "<w:sdt><w:sdtContent>" + paragraph("no controle") + "</w:sdtContent></w:sdt>"
    )
    assert read(small_docx(body), "docx").content == "posto no link\n\nna caixa\n\nno controle"


def test_docx_headings_of_portuguese_and_own_styles() -> None:
    styles = (
        f'<w:styles xmlns:w="{W}"><w:style w:styleId="Ttulo2"><w:name w:val="Título 2"/></w:style>'
        '<w:style w:styleId="Meu"><w:basedOn w:val="Ttulo2"/></w:style>'
        '<w:style w:styleId="Cap"><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>'
        '<w:style w:styleId="Roda"><w:basedOn w:val="Roda"/><w:rPr><w:vanish/></w:rPr></w:style></w:styles>'
    )
    body = "".join(
        paragraph(text, f'<w:pStyle w:val="{style}"/>')
        for text, style in (("A", "Cap"), ("B", "Meu"), ("SEGREDO", "Roda"), ("texto", "Normal"))
    )
    document = read(small_docx(body, styles=styles), "docx")
    assert document.content == "A\n\nB\n\ntexto"
    assert [(heading.level, heading.text) for heading in document.headings] == [(1, "A"), (2, "B")]


def test_docx_notes() -> None:
    notes = f'<w:footnotes xmlns:w="{W}"><w:footnote>{paragraph("Ver a lei.")}</w:footnote></w:footnotes>'
    assert (
        read(small_docx(paragraph("Texto."), footnotes=notes), "docx").content
        == "Texto.\n\nNotas\n\nVer a lei."
    )


def test_strict_docx() -> None:
    data = small_docx(paragraph("estrito"))
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        text = source.read("word/document.xml").decode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        target.writestr(
            "word/document.xml", text.replace(W, "http://purl.oclc.org/ooxml/wordprocessingml/main")
        )
    assert read(stream.getvalue(), "docx").content == "estrito"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "não é um .docx"),
        (b"texto qualquer", "não é um .docx"),
        (small_docx("<w:p>"), "word/document.xml não pôde ser lida"),
        (small_docx(paragraph("x"), styles="<lixo"), "word/styles.xml não pôde ser lida"),
        (small_docx(""), "não tem texto"),
    ],
)
def test_what_is_no_docx(data: bytes, message: str) -> None:
    with pytest.raises(FileProblem, match=message):
        read(data, "docx")
