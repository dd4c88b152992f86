"""CSV, JSON, JSON Lines, YAML and XML: rows that are texts, tables, outlines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.loader_samples import CSV, KNOWLEDGE_ROWS, NESTED, XML, YAML

from lunagpt.data import Document
from lunagpt.data.loaders import DEFAULT_LIMITS, Limits, problems
from lunagpt.data.loaders.parsing import parse_bytes
from lunagpt.data.loaders.problems import FileProblem


def read_all(data: str | bytes | object, kind: str, limits: Limits = DEFAULT_LIMITS) -> list[Document]:
    if not isinstance(data, str | bytes):
        data = json.dumps(data, ensure_ascii=False)
    raw = data.encode() if isinstance(data, str) else data
    return parse_bytes(raw, f"pasta/dados.{kind}", kind, limits)[0]


def read(data: str | bytes | object, kind: str) -> Document:
    documents = read_all(data, kind)
    assert len(documents) == 1
    return documents[0]


def notes(data: str, kind: str) -> list[str]:
    return parse_bytes(data.encode(), f"a.{kind}", kind, DEFAULT_LIMITS)[1]


TABLE = (
    "Produto: Caneta; Preço unitário: 2,50; Observação: azul\n\n"
    "Produto: Lápis nº 2; Preço unitário: 1,20\n\n"
    "Produto: Caderno; Preço unitário: 15,90; Observação: 96 folhas"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_a_table_is_one_document_with_a_block_for_every_row(encoding: str) -> None:
    document = read(CSV.encode(encoding), "csv")
    assert document.id == "pasta/dados.csv"
    assert document.title == "dados"
    assert document.content == TABLE
    assert document.metadata["rows"] == 3


@pytest.mark.parametrize("delimiter", [",", "\t", "|", ";"])
def test_delimiters(delimiter: str) -> None:
    rows = ["nome,idade,cidade", "Ana,30,Belém", "Bia,25,São Luís"]
    text = "\n".join(row.replace(",", delimiter) for row in rows)
    assert read(text, "csv").content == (
        "nome: Ana; idade: 30; cidade: Belém\n\nnome: Bia; idade: 25; cidade: São Luís"
    )


def test_long_records_take_several_lines_and_long_values_stand_apart() -> None:
    row = {f"coluna {number}": "valor " * 12 for number in range(20)} | {"nota": "palavra " * 40, "fim": "x"}
    *records, note, end = read([row], "json").content.split("\n\n")
    assert len(records) == 1
    lines = records[0].split("\n")
    assert 2 <= len(lines) <= 5
    assert all(len(line) <= 500 for line in lines)
    assert (note[:13], end) == ("nota: palavra", "fim: x")


def test_csv_of_spreadsheets() -> None:
    assert read("sep=;\r\na;b\r\n1,5;x\r\n", "csv").content == "a: 1,5; b: x"


def test_csv_without_header_and_with_uneven_rows() -> None:
    assert read("1,2\n3,4,5\n\n6", "csv").content == (
        "coluna 1: 1; coluna 2: 2\n\ncoluna 1: 3; coluna 2: 4; coluna 3: 5\n\ncoluna 1: 6"
    )


def test_questions_and_answers_are_a_document_each() -> None:
    text = 'pergunta,resposta,tema\n"O que é, afinal?","Um ""sistema""\nde diálogo.",geral\nComo?,Assim.,\n'
    first, second = read_all(text, "csv")
    assert first.id == "pasta/dados.csv#3"
    assert first.title == "O que é, afinal?"
    assert first.content == 'O que é, afinal?\nUm "sistema"\nde diálogo.'
    assert first.metadata == {
        "source": "pasta/dados.csv",
        "file": "pasta/dados.csv",
        "file_type": "csv",
        "line": 3,
        "tema": "geral",
    }
    assert second.title == "Como?"


def test_instructions_keep_their_input() -> None:
    row = {"instruction": "Some.", "input": "1 e 2", "output": "3"}
    assert read(row, "jsonl").content == "Some.\n1 e 2\n3"


def test_quotes_without_a_partner() -> None:
    text = 'a,b\n"x,1\n' + f"y,{'2' * 9999}\n" * 120
    document = read(text, "csv")
    assert 'a: "x; b: 1\n\na: y' in document.content
    assert "aspas sem par" in notes(text, "csv")[0]


def test_knowledge_base_rows_as_the_specification_has_them() -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n\n" for row in KNOWLEDGE_ROWS)
    first, second = read_all(text, "jsonl")
    assert (first.id, first.title) == ("doc_001", "Arquitetura")
    assert first.content == KNOWLEDGE_ROWS[0]["content"]
    assert first.metadata == {
        "source": "manual técnico",
        "file": "pasta/dados.jsonl",
        "file_type": "jsonl",
        "line": 1,
        "version": "2.6",
        "ano": 2023,
    }
    assert second.metadata["source"] == "pasta/dados.jsonl"
    assert second.metadata["line"] == 3


def test_chunks_as_the_specification_has_them() -> None:
    row = {"id": "d_1", "parent_id": "d", "title": "T", "content": "c", "metadata": {"sequence": 1}}
    metadata = read(row, "jsonl").metadata
    assert (metadata["parent_id"], metadata["sequence"]) == ("d", 1)


def test_rows_with_one_id_are_told_apart() -> None:
    rows = [{"id": "x", "content": "um"}, {"id": "x", "content": "dois"}, {"id": "", "content": "três"}]
    ids = [document.id for document in read_all(rows, "json")]
    assert ids == ["x", "x#2", "pasta/dados.json#3"]


def test_broken_lines_are_left_out_and_counted() -> None:
    text = '{"content": "um"}\nlixo\n{"content": 2}\n{"content": "três"'
    assert [document.content for document in read_all(text, "jsonl")] == ["um", "2"]
    assert notes(text, "jsonl") == [
        "2 de 4 linhas não puderam ser lidas (a primeira: linha 2, coluna 1: não é um JSON válido)"
    ]
    with pytest.raises(FileProblem, match="nenhuma linha"):
        read("lixo\nlixo", "jsonl")


def test_rows_with_text_and_rows_without() -> None:
    rows = [{"content": "um"}, {"content": "dois"}, {"nome": "Ana", "idade": 3}]
    assert read_all(rows, "json")[2].content == "nome: Ana; idade: 3"


def test_headings_of_rows_hold_only_while_the_text_is_unchanged() -> None:
    row: dict[str, Any] = {"content": "I\n\ntexto", "headings": [[0, 1, "I"]], "pages": [0]}
    assert read([row], "json").headings[0].text == "I"
    assert read([{**row, "content": "\u200bI\n\ntexto"}], "json").headings == ()
    with pytest.raises(FileProblem, match="não cabem"):
        read([{**row, "pages": [99]}], "json")


def test_hidden_characters_of_rows() -> None:
    row = {
        "id": "a\u202eb",
        "title": "t\u200b",
        "content": "c\u0000d\ufeff",
        "metadata": {"k\u200b": ["v\u2066"]},
    }
    document = read([row], "json")
    assert (document.id, document.title, document.content) == ("ab", "t", "cd")
    assert document.metadata["k"] == ["v"]


def test_nested_values_are_an_outline() -> None:
    document = read(NESTED, "json")
    assert document.content == (
        "empresa: Padaria São João; ativa: sim; sócios: Ana, Bia\n\n"
        "endereço\n\nrua: das Flores; cep: 01000-000\n\n"
        "produtos\n\nnome: pão; preço unitário: 1.5\n\n"
        "bolo\n\nnome: bolo; preço unitário: 20\n\nsabores\n\nnome: milho\n\nnome: fubá"
    )
    assert document.heading_path_at(document.content.index("fubá")) == ("produtos", "bolo", "sabores")


def test_numbers_stay_as_they_are_written() -> None:
    text = '{"preço": 1.10, "grande": 12345678901234567890123, "enorme": 1e999, "nada": NaN}'
    assert read(text, "json").content == (
        "preço: 1.10; grande: 12345678901234567890123; enorme: 1e999; nada: NaN"
    )
    row = {"content": "x", "metadata": {"preço": 1.10, "ano": 2020}}
    metadata = json.loads(json.dumps(read([row], "json").metadata))
    assert (metadata["preço"], metadata["ano"]) == (1.1, 2020)


def test_a_list_of_articles_under_a_name() -> None:
    value = {"total": 2, "artigos": [{"headline": "H1", "body": "B1"}, {"headline": "H2", "body": "B2"}]}
    assert [(d.title, d.content) for d in read_all(value, "json")] == [("H1", "B1"), ("H2", "B2")]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=20,
    )
)
def test_any_json_is_read_or_has_no_text(value: object) -> None:
    try:
        documents = read_all(json.dumps(value), "json")
    except FileProblem as caught:
        problem = str(caught)
    else:
        assert all(document.content for document in documents)
        return
    assert problem == problems.NO_TEXT


def test_yaml_stays_as_it_is_written() -> None:
    assert read(YAML, "yaml").content == (
        "versão: 1.10; dias: segunda, terça\n\nbase\n\nporta: 8080; ligado: no\n\n"
        "serviço\n\nporta: 8080; ligado: no; nome: página da padaria"
    )


def test_yaml_of_several_documents() -> None:
    documents = read_all("title: A\ntexto: um\n---\n---\ntitle: B\ntexto: dois\n", "yaml")
    assert [(d.id, d.title, d.content) for d in documents] == [
        ("pasta/dados.yaml#1", "A", "um"),
        ("pasta/dados.yaml#2", "B", "dois"),
    ]


def test_yaml_builds_no_objects() -> None:
    assert read("x: !!python/object/apply:os.system ['echo oi']", "yaml").content == "x: echo oi"


def test_xml_is_an_outline() -> None:
    document = read(XML, "xml")
    assert document.content == (
        "catalogo\n\nlivro\n\nid: 1; titulo: Dom Casmurro; autor: Machado de Assis; ano: 1899\n\n"
        "Vidas secas\n\nid: 2; titulo: Vidas secas; autor: Graciliano Ramos\n\nresumo\n\n"
        "A história de uma família no sertão.\n\nPublicado em 1938."
    )
    assert document.heading_path_at(document.content.index("1938")) == (
        "catalogo",
        "livro",
        "Vidas secas",
        "resumo",
    )


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-16", "cp1252"])
def test_xml_encodings(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n<aviso><texto>À noite há pão.</texto></aviso>'
    assert read(text.encode(encoding), "xml").content == "aviso\n\ntexto: À noite há pão."


def test_xml_that_lies_about_its_encoding() -> None:
    text = '<?xml version="1.0" encoding="utf-8"?><a><b>ação</b></a>'
    assert read(text.encode("cp1252"), "xml").content == "a\n\nb: ação"


def test_web_pages_in_a_feed() -> None:
    text = "<rss><item><d>&lt;p&gt;Olá &lt;i hidden&gt;SEGREDO&lt;/i&gt;mundo&lt;/p&gt;</d></item></rss>"
    assert read(text, "xml").content == "rss\n\nitem\n\nd: Olá mundo"


def test_repeated_elements_share_a_line() -> None:
    text = "<livro><autor>Ana</autor><autor>Bia</autor><titulo>T</titulo></livro>"
    assert read(text, "xml").content == "livro\n\nautor: Ana, Bia; titulo: T"


def test_broken_xml_is_read_as_text() -> None:
    text = "<a><b>primeiro &nbsp; <c>segundo</a>"
    assert read(text, "xml").content.split() == ["primeiro", "segundo"]
    assert "defeitos" in notes(text, "xml")[0]


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ('{"a": [1, 2', "json", "não é um JSON válido (linha 1, coluna 12)"),
        ("a: [1, 2", "yaml", "não é um YAML válido (linha 2"),
        ("[]", "json", "não tem texto"),
        ("~", "yaml", "não tem texto"),
        ("<a/>", "xml", "não tem texto"),
        ("\n\n", "jsonl", "não tem texto"),
        (",,\n,,", "csv", "não tem texto"),
    ],
)
def test_problems(text: str, kind: str, message: str) -> None:
    with pytest.raises(FileProblem) as caught:
        read(text, kind)
    assert message in str(caught.value)


def test_too_many_rows() -> None:
    with pytest.raises(FileProblem, match="mais de 2 registros"):
        read_all([{"content": "x"}] * 3, "json", Limits(rows=2))
