"""Converting: every format into every other, renamed fields, knowledge bases, and bad rows that are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunagpt.data.convert import FormatConverter
from lunagpt.data.row_files import encoding_of, format_of, read_rows
from lunagpt.data.row_writing import write_rows
from lunagpt.errors import DataError

ROWS = [
    {
        "pergunta": "O que é “pão”?",
        "resposta": "É um alimento;\nleva trigo, água e sal.",
        "nota": "1",
    },
    {"pergunta": "Quem é o Zé?", "resposta": "Ninguém sabe.", "nota": "2"},
]
FORMATS = ["csv", "tsv", "json", "jsonl", "yaml", "xml"]


def rows_of(path: Path, file_format: str | None = None) -> list[dict[str, Any]]:
    rows = [row for _, row in read_rows(path, format_of(path, file_format))]
    assert all(isinstance(row, dict) for row in rows), rows
    return rows  # type: ignore[return-value]


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_every_format_into_every_other(tmp_path: Path, source: str, target: str) -> None:
    first, second = tmp_path / f"a.{source}", tmp_path / "sub" / f"b.{target}"
    assert write_rows(first, source, ROWS) == 2
    report = FormatConverter().convert_format(first, second)
    assert (report.rows, report.written, report.left_out) == (2, 2, 0)
    assert rows_of(second) == ROWS
    assert list(second.parent.iterdir()) == [second]


VALUES = st.one_of(st.text(max_size=20), st.integers(-(10**12), 10**12), st.booleans(), st.none())


@given(st.lists(st.dictionaries(st.text(min_size=1, max_size=8), VALUES, min_size=1, max_size=4), max_size=4))
def test_json_lines_keep_any_value(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("j") / "a.jsonl"
    write_rows(path, "jsonl", rows)
    assert rows_of(path) == json.loads(json.dumps(rows))


def test_the_call_of_the_documentation(tmp_path: Path) -> None:
    source, target = tmp_path / "qa.csv", tmp_path / "processed" / "qa.jsonl"
    source.write_text('pergunta,resposta,tema\n"O que é?","Uma coisa, só.",x\nE?,Nada.,y\n', encoding="utf-8")
    FormatConverter().convert_format(
        input_file=str(source),
        output_file=str(target),
        input_format="csv",
        output_format="jsonl",
        mapping={"pergunta": "instruction", "resposta": "output"},
    )
    assert rows_of(target) == [
        {"instruction": "O que é?", "output": "Uma coisa, só.", "tema": "x"},
        {"instruction": "E?", "output": "Nada.", "tema": "y"},
    ]
    FormatConverter().convert_format(source, target, mapping={"Pergunta": "q"}, keep_unmapped=False)
    assert rows_of(target) == [{"q": "O que é?"}, {"q": "E?"}]


def test_a_spreadsheet_from_windows(tmp_path: Path) -> None:
    source = tmp_path / "planilha.csv"
    source.write_bytes("sep=;\r\nNome;Cidade\r\nJosé;São Paulo\r\nInês;Belém\r\n".encode("cp1252"))
    assert rows_of(source) == [{"Nome": "José", "Cidade": "São Paulo"}, {"Nome": "Inês", "Cidade": "Belém"}]
    late = tmp_path / "tarde.csv"
    late.write_bytes(b"a,b\n" + b"x,y\n" * 300_000 + "ação,é\n".encode("cp1252"))
    assert encoding_of(late) == "cp1252"


def test_articles_become_a_knowledge_base(tmp_path: Path) -> None:
    source, target = tmp_path / "articles.json", tmp_path / "rag" / "articles.jsonl"
    articles = [
        {"headline": "Um", "body": "Texto um.", "author": {"name": "Ana"}, "date": "2024-01-02", "x": 1},
        {"headline": "", "body": "Primeira linha.\nSegunda.", "date": "2024-01-03"},
        {"headline": "Três", "body": "  "},
    ]
    source.write_text(json.dumps({"articles": articles}), encoding="utf-8")
    report = FormatConverter().convert_to_rag_format(
        input_file=source,
        output_file=target,
        content_field="body",
        title_field="headline",
        metadata_fields=["author.name", "date"],
    )
    source_name = {"source": "articles.json"}
    assert rows_of(target) == [
        {"id": "articles_1", "title": "Um", "content": "Texto um.",
         "metadata": {**source_name, "author.name": "Ana", "date": "2024-01-02"}},
        {"id": "articles_2", "title": "Primeira linha.", "content": "Primeira linha.\nSegunda.",
         "metadata": {**source_name, "date": "2024-01-03"}},
    ]  # fmt: skip
    assert str(report) == (
        f'2 registros gravados em "{target}".\n1 registro ficou de fora:\n'
        '  linha 3: o campo "body" está vazio'
    )


def test_usual_names_are_found_and_ids_stay_unique(tmp_path: Path) -> None:
    source, target = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    rows = [{"id": 7, "Título": "T", "texto": "Um.", "ano": 2020}, {"id": 7, "Título": "U", "texto": "Dois."}]
    write_rows(source, "jsonl", rows)
    FormatConverter().convert_to_rag_format(source, target)
    assert rows_of(target) == [
        {"id": "7", "title": "T", "content": "Um.", "metadata": {"source": "a.jsonl", "ano": 2020}},
        {"id": "7#2", "title": "U", "content": "Dois.", "metadata": {"source": "a.jsonl"}},
    ]


def test_bad_rows_are_left_out_and_told(tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl"
    source.write_text('{"a": "1"}\n{"a": \n[1, 2]\n{"b": "2"}\n\n{"a": "3"}\n', encoding="utf-8")
    report = FormatConverter().convert_format(source, tmp_path / "b.csv", mapping={"a": "c"})
    assert (report.rows, report.written) == (5, 2)
    assert [line for line, _ in report.problems] == [2, 3, 4]
    assert 'não tem o campo "a" (campos: b)' in str(report)
    assert rows_of(tmp_path / "b.csv") == [{"c": "1"}, {"c": "3"}]


def test_csv_rows_of_another_width_are_left_out(tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_text("a,b\n1,2\n3\n4,5,6\n", encoding="utf-8")
    rows = list(read_rows(source, "csv"))
    assert rows == [(2, {"a": "1", "b": "2"}), (3, "tem 1 colunas, e o cabeçalho tem 2"),
                    (4, "tem 3 colunas, e o cabeçalho tem 2")]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "Não há nenhum registro"),
        ("a.json", "{", "não é um JSON válido"),
        ("a.json", "[" * 100_000, "aninhadas demais"),
        ("a.yaml", "a: [1", "não serve: YAML mal escrito na linha"),
        ("a.yaml", "- &x {a: 1}\n- *x", "apelidos"),
        ("a.xml", "<a><b>", "XML mal escrito na linha 1, coluna 7"),
        ("a.jsonl", "[1]\nnada", "Nenhum registro"),
        ("a.txt", "oi", "Formatos aceitos"),
        ("a.csv", "%PDF-1.4 binário", "PDF"),
    ],
)
def test_files_without_rows_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    source, target = tmp_path / name, tmp_path / "saida.jsonl"
    source.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        FormatConverter().convert_format(source, target)
    assert not target.exists()


def test_wrong_names_are_refused_with_the_right_one(tmp_path: Path) -> None:
    source, target = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    write_rows(source, "jsonl", ROWS)
    with pytest.raises(DataError, match='você quis dizer "pergunta"'):
        FormatConverter().convert_format(source, target, mapping={"perguntas": "q"})
    with pytest.raises(DataError, match='"autor"'):
        FormatConverter().convert_to_rag_format(source, target, "resposta", metadata_fields=["nota", "autor"])
    with pytest.raises(DataError, match="Não encontrei"):
        FormatConverter().convert_format(tmp_path / "não.csv", target)
    assert not target.exists()


def test_a_failed_conversion_leaves_the_old_output(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n', encoding="utf-8")
    with pytest.raises(DataError):
        write_rows(path, "jsonl", [{"a": 2}, {"a": object()}])
    assert path.read_text(encoding="utf-8") == '{"a": 1}\n'
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_can_be_converted_onto_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_rows(path, "jsonl", ROWS)
    FormatConverter().convert_format(path, path, mapping={"nota": "n"})
    assert [row["n"] for row in rows_of(path)] == ["1", "2"]


def test_billions_of_laughs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    entities = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(12))
    path.write_text(f'<!DOCTYPE r [<!ENTITY l0 "ha">{entities}]><r><a><b>&l12;</b></a></r>', encoding="utf-8")
    with pytest.raises(DataError, match="XML"):
        list(read_rows(path, "xml"))
