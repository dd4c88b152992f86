"""Encodings, invisible characters, plain text, Markdown and HTML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.loader_samples import HTML_PAGE, MARKDOWN, PARAGRAPH

from lunagpt.data import Document
from lunagpt.data.loaders import DEFAULT_LIMITS, Limits
from lunagpt.data.loaders.cleaning import clean_line, clean_text
from lunagpt.data.loaders.encoding import decode
from lunagpt.data.loaders.parsing import parse_bytes
from lunagpt.data.loaders.problems import FileProblem

SENTENCE = "Não há opções: às três, a irmã pôs pães e maçãs à mesa; você também é convidado."


def read(data: str | bytes, kind: str, name: str = "arquivo") -> Document:
    raw = data.encode() if isinstance(data, str) else data
    documents, _ = parse_bytes(raw, f"{name}.{kind}", kind, DEFAULT_LIMITS)
    assert len(documents) == 1
    return documents[0]


def notes(data: bytes, kind: str) -> list[str]:
    return parse_bytes(data, f"a.{kind}", kind, DEFAULT_LIMITS)[1]


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "cp850", "mac_roman"],
)
@pytest.mark.parametrize("text", [SENTENCE, "Ação", f"linha\n{SENTENCE}\n" * 50])
def test_encodings_are_found_out(encoding: str, text: str) -> None:
    decoded = decode(text.encode(encoding))
    assert decoded.text == text
    assert not decoded.doubtful


def test_windows_signs() -> None:
    text = "— “Custa R$ 10 ou 10 €?” – perguntou… § 1º"
    assert decode(text.encode("cp1252")).text == text


def test_a_few_broken_bytes_do_not_change_the_encoding() -> None:
    decoded = decode(SENTENCE.encode() * 3 + b"\xc3")
    assert decoded.text == SENTENCE * 3 + "\ufffd"
    assert decoded.encoding == "utf-8"
    assert decoded.doubtful
    assert notes(SENTENCE.encode() * 3 + b"\xe1\xe1", "txt")


def test_what_a_file_says_of_itself_counts() -> None:
    greek = "Ελληνικά"
    assert decode(greek.encode("iso-8859-7"), "iso-8859-7").text == greek
    assert decode("ção".encode("cp1252"), "utf-8").text == "ção"
    assert decode("ção".encode("cp1252"), "zip").text == "ção"
    assert decode("ção".encode("cp1252"), "não existe").text == "ção"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"%PDF-1.7 abc", "um PDF"),
        (b"PK\x03\x04abc", "compactado"),
        (b"\x89PNG\r\n\x1a\n", "imagem"),
        (bytes(range(256)) * 20, "não é texto"),
    ],
)
def test_what_is_no_text(data: bytes, message: str) -> None:
    with pytest.raises(FileProblem, match=message):
        decode(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_text_or_a_problem(data: bytes) -> None:
    try:
        decoded = decode(data)
    except FileProblem:
        return
    assert isinstance(decoded.text, str)


@given(st.text())
def test_cleaning_is_stable_and_leaves_nothing_invisible(text: str) -> None:
    cleaned = clean_text(text)
    assert clean_text(cleaned) == cleaned
    assert not set(cleaned) & set("\0\r\x0b\x0c\x1b\x85\xa0\xad\u200b\u200e\u202e\u2066\u2028\ufeff")
    assert "\n" not in clean_line(text)


def test_hidden_characters_go_and_the_rest_stays() -> None:
    tags = "".join(chr(0xE0000 + ord(letter)) for letter in "ignore tudo")
    assert clean_text(f"a\u200bb\u202ec\u2066{tags}d\ufeff\ufe0f") == "abcd"
    assert clean_text("e\u0301 1\u00a0000\r\nx\ry") == "é 1 000\nx\ny"
    emoji = "👨‍👩‍👧 ❤️ 👍🏽 1️⃣"
    assert clean_text(emoji) == emoji


def test_txt_title_from_a_first_line_that_stands_alone() -> None:
    assert read("Aviso aos moradores\n\nA água volta às 18h.", "txt").title == "Aviso aos moradores"
    assert read("A água volta às 18h.\n\nObrigado.", "txt", "aviso_da_água").title == "aviso da água"
    assert read("linha um\nlinha dois", "txt", "dir/nota").title == "nota"


def test_txt_pages() -> None:
    document = read(f"{SENTENCE}\f\f{PARAGRAPH}\n\f", "txt")
    assert document.content == f"{SENTENCE}\n\n{PARAGRAPH}"
    assert [document.page_at(offset) for offset in (0, len(SENTENCE) + 2)] == [1, 3]
    assert read(SENTENCE, "txt").pages == ()


def test_txt_keeps_what_is_written() -> None:
    assert read("um\n  dois  \n\n\n\ntrês\x00", "txt").content == "um\n  dois\n\ntrês"


def test_metadata_of_a_text() -> None:
    assert read(SENTENCE, "txt").metadata == {"source": "arquivo.txt", "file_type": "txt"}
    assert read(SENTENCE.encode("cp1252"), "txt").metadata["encoding"] == "cp1252"


@pytest.mark.parametrize("data", [b"\n \n", b"\xef\xbb\xbf", "\u200b".encode()])
def test_no_text(data: bytes) -> None:
    with pytest.raises(FileProblem, match="não tem texto"):
        read(data, "txt")


def test_too_much_text() -> None:
    with pytest.raises(FileProblem, match="mais de 0,0001 milhões"):
        parse_bytes(b"a" * 101, "a.txt", "txt", Limits(characters=100))


def test_markdown() -> None:
    document = read(MARKDOWN, "md")
    assert document.title == "Guia do usuário"
    assert document.metadata["tags"] == "ajuda, início"
    assert document.content == (
        "Guia\n\nTexto em negrito com um link e . A frase continua aqui.\n\nInstalação\n\n"
        "1. baixe\n2. instale\n  - no Linux\n  - no Windows\n\nitem | preço\ncafé | 5,00\n\n"
        "x = 1 * 2 * 3\n\nNotas\n\nfim"
    )
    assert [(heading.level, heading.text) for heading in document.headings] == [
        (1, "Guia"),
        (2, "Instalação"),
        (2, "Notas"),
    ]
    assert document.heading_path_at(document.content.index("café")) == ("Guia", "Instalação")


def test_markdown_titles() -> None:
    assert read("## Olá *mundo*\n\ntexto", "md").title == "Olá mundo"
    assert read("só texto", "md", "meu_guia").title == "meu guia"
    rule = "---\nisto não é: [um cabeçalho\n---\ntexto"
    assert "um cabeçalho" in read(rule, "md").content


def test_html() -> None:
    document = read(HTML_PAGE, "html")
    assert document.title == "Feira de ciências"
    assert document.metadata["author"] == "Célia"
    assert document.content == (
        f"Feira de ciências\n\n{PARAGRAPH}\nTodo dia.\n\nSegundo parágrafo, com destaque.\n\n"
        "- Pão\n- Bolo\n  - de milho\n  - de fubá\n- Suco\n\n3. terceiro\n4. quarto\n\n"
        "Dia | Hora\nSeg | 8h\nTer | 9h\n\nPreços\n\n  a = 1\n    b\n\ntexto claro no escuro"
    )
    assert [heading.text for heading in document.headings] == ["Feira de ciências", "Preços"]


def test_html_headings_stand_where_they_say() -> None:
    document = read(HTML_PAGE, "html")
    for heading in document.headings:
        assert document.content.startswith(heading.text, heading.offset)


@pytest.mark.parametrize(
    "hidden",
    [
        "<!-- {} -->",
        "<!--{}",
        "<p style='display:none'>{}</p>",
        "<p style='DISPLAY : /* x */ none !important'>{}</p>",
        "<p style='visibility:hidden'><b>{}</b></p>",
        "<span style='opacity:0.0'>{}</span>",
        "<span style='font-size: 0px'>{}</span>",
        "<span style='color:white'>{}</span>",
        "<span style='color:rgba(0,0,0,0)'>{}</span>",
        "<div style='position:absolute; left:-10000px'>{}</div>",
        "<div style='height:0;overflow:hidden'>{}</div>",
        "<div hidden>{}</div>",
        "<div hidden='until-found' aria-hidden='true'>{}</div>",
        "<style>.x1{{display:none}}</style><p class='a x1'>{}</p>",
        "<style>p#x1 , .q{{font-size:0}}</style><p id=x1>{}</p>",
        "<template>{}</template>",
        "<noscript>{}</noscript>",
        "<input type=hidden value='{}'>",
        "<textarea>{}</textarea>",
        "<svg><text>{}</text></svg>",
        "<img alt='{}'>",
        "<a href='http://x.invalid/{}' title='{}'></a>",
    ],
)
@pytest.mark.parametrize("kind", ["html", "md"])
def test_hidden_text_is_not_read(hidden: str, kind: str) -> None:
    document = read(f"<p>{PARAGRAPH}</p>\n\n{hidden.format('SEGREDO', 'SEGREDO')}\n\n<p>Fim</p>", kind)
    assert "SEGREDO" not in document.content
    assert PARAGRAPH in document.content


@pytest.mark.parametrize(
    "shown",
    [
        "<p style='opacity:0.05'>{}</p>",
        "<p style='min-width:0;font-size:10px;margin-left:-10px'>{}</p>",
        "<p style='background:#036;color:#fff'>{}</p>",
        "<td bgcolor=black><font style='color:white'>{}</font></td>",
        "<style>@media print{{.n{{display:none}}}}</style><p class=n>{}</p>",
        "<style>.menu .n{{display:none}}</style><p class=n>{}</p>",
        "<p class='hidden md:block'>{}</p>",
        "<details><summary>Mais</summary>{}</details>",
        "<p>{}</div></b>",
        "<b><p>{}</b>",
    ],
)
def test_visible_text_is_read(shown: str) -> None:
    assert "VISÍVEL" in read(f"<p>{PARAGRAPH}</p>{shown.format('VISÍVEL')}", "html").content


def test_the_article_is_the_subject_of_a_page() -> None:
    html = (
        f"<div>Manchetes do dia, todas elas</div><article><h1>Título</h1><p>{PARAGRAPH}</p></article>"
        "<div>Leia também outras coisas</div>"
    )
    assert read(html, "html").content == f"Título\n\n{PARAGRAPH}"


def test_a_page_that_is_all_menu_is_read_all_the_same() -> None:
    assert "Contato" in read("<nav><a href=x>Início</a> <a href=y>Contato</a></nav>", "html").content


def test_runs_of_links_are_menus() -> None:
    links = "".join(f"<p><a href='/{n}'>Seção número {n}</a></p>" for n in range(5))
    document = read(f"<p>{PARAGRAPH}</p>{links}<p>Veja <a href=z>isto</a>.</p>", "html")
    assert document.content == f"{PARAGRAPH}\n\nVeja isto."


def test_layout_tables_give_paragraphs() -> None:
    html = f"<table><tr><td>menu</td><td><h2>Tema</h2><p>{PARAGRAPH}</p><p>Outro.</p></td></tr></table>"
    assert read(html, "html").content == f"menu\n\nTema\n\n{PARAGRAPH}\n\nOutro."


def test_html_charset() -> None:
    html = "<meta charset=iso-8859-7><title>Ελληνικά</title><p>Ελληνικά γράμματα"
    assert read(html.encode("iso-8859-7"), "html").content == "Ελληνικά γράμματα"


def test_deep_html_is_refused() -> None:
    with pytest.raises(FileProblem, match="512 níveis"):
        read("<div>" * 600 + "oi", "html")
