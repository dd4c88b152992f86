"""Files → rows → examples."""

from __future__ import annotations

import csv
import gzip
import json
import logging
import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunagpt.data import DialogueExample, SourceSpec, TextExample, format_evidence, read_examples
from lunagpt.data.grounding_format import NO_ANSWER, cite, unify_grounded_turns
from lunagpt.data.readers import ReadReport
from lunagpt.errors import ConfigError, DataError

DIALOGUE = [{"role": "user", "content": "Oi"}, {"role": "assistant", "content": "Olá!"}]


def write_jsonl(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def examples(path: Path, **options: Any) -> list[Any]:
    return [example for example, *_ in read_examples(SourceSpec(path=str(path), **options))]


def turns(example: DialogueExample) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in example.messages]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"text": "Era uma vez."}, "Era uma vez."),
        ({"id": "d1", "title": "Sol", "content": "Uma estrela."}, "# Sol\n\nUma estrela."),
        ({"content": "Sem título."}, "Sem título."),
        ({"messages": DIALOGUE}, [("user", "Oi"), ("assistant", "Olá!")]),
        ({"messages": json.dumps(DIALOGUE)}, [("user", "Oi"), ("assistant", "Olá!")]),
        ({"instruction": "Some 1 e 2.", "output": "3"}, [("user", "Some 1 e 2."), ("assistant", "3")]),
        (
            {"instruction": "Some.", "input": "1 e 2", "output": "3"},
            [("user", "Some.\n\n1 e 2"), ("assistant", "3")],
        ),
        ({"pergunta": "Quem?", "resposta": "Eu."}, [("user", "Quem?"), ("assistant", "Eu.")]),
        (
            {"prompt_messages": DIALOGUE[:1], "chosen": "Bom dia!", "rejected": "Não."},
            [("user", "Oi"), ("assistant", "Bom dia!")],
        ),
        (
            {"messages": DIALOGUE, "opportunities": [{"suggestion": "a"}, {"suggestion": "Quer um café?"}]},
            [("user", "Oi"), ("assistant", "Olá!"), ("proactive", "Quer um café?")],
        ),
        ({"messages": DIALOGUE, "opportunities": []}, [("user", "Oi"), ("assistant", "Olá!")]),
        (
            {"messages": DIALOGUE, "documents": [{"id": 1, "title": "T", "content": "c"}]},
            [("user", "Documentos:\n[1] T: c\n\nPergunta: Oi"), ("assistant", "Olá!")],
        ),
    ],
)
def test_every_layout_becomes_its_example(tmp_path: Path, row: dict[str, Any], expected: Any) -> None:
    (example,) = examples(write_jsonl(tmp_path / "a.jsonl", [row]))
    if isinstance(expected, str):
        assert example == TextExample(expected)
    else:
        assert turns(example) == expected


def test_thinking_is_kept_and_other_columns_are_not(tmp_path: Path) -> None:
    messages = [
        DIALOGUE[0],
        {"role": "assistant", "content": "Olá!", "thinking": "É um cumprimento.", "n": 3},
    ]
    (example,) = examples(write_jsonl(tmp_path / "a.jsonl", [{"messages": messages}]))
    assert example.messages[1] == {"role": "assistant", "content": "Olá!", "thinking": "É um cumprimento."}


def test_the_persona_becomes_a_system_turn_only_where_there_is_none(tmp_path: Path) -> None:
    system = {"role": "system", "content": "Seja breve."}
    rows = [
        {"messages": DIALOGUE, "persona": "friendly"},
        {"messages": DIALOGUE, "persona": "balanced"},
        {"messages": [system, *DIALOGUE], "persona": "friendly"},
    ]
    found = examples(write_jsonl(tmp_path / "a.jsonl", rows), persona_prompt=True)
    assert [turns(example)[0] for example in found] == [
        ("system", "Você é Luna, persona friendly."),
        ("user", "Oi"),
        ("system", "Seja breve."),
    ]


def test_every_kind_of_file_gives_the_same_examples(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    rows = [{"pergunta": f"Quanto é {n}; e {n + 1}?", "resposta": f'"{n}",\ne {n + 1}'} for n in range(700)]
    write_jsonl(tmp_path / "a.jsonl", rows)
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    with gzip.open(tmp_path / "b.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
    for name, delimiter in (("a.csv", ","), ("b.csv", ";")):
        with open(tmp_path / name, "w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.DictWriter(stream, ["pergunta", "resposta"], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=300)
    expected = [[("user", row["pergunta"]), ("assistant", row["resposta"])] for row in rows]
    for name in ("a.jsonl", "a.json", "b.jsonl.gz", "a.csv", "b.csv", "a.parquet"):
        assert [turns(example) for example in examples(tmp_path / name)] == expected, name


def test_text_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.md").write_text("# Título\n\ncorpo\n", encoding="utf-8")
    (tmp_path / "sub" / "a.txt").write_text("conteúdo", encoding="utf-8")
    (tmp_path / "foto.png").write_bytes(b"x")
    assert examples(tmp_path) == [TextExample("# Título\n\ncorpo"), TextExample("conteúdo")]


def test_files_of_windows_and_dos_are_read_like_those_in_utf_8(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Crônica\r\ndo ipê".encode("cp1252"))
    (tmp_path / "b.csv").write_bytes("pergunta;resposta\r\nVocê é?;Não.\r\n".encode("cp1252"))
    (tmp_path / "c.txt").write_bytes("Oração".encode("utf-16"))
    text, talk, wide = examples(tmp_path)
    assert (text, wide) == (TextExample("Crônica\ndo ipê"), TextExample("Oração"))
    assert turns(talk) == [("user", "Você é?"), ("assistant", "Não.")]
    (tmp_path / "d.txt").write_bytes(b"%PDF-1.7")
    with pytest.raises(DataError, match=r"d\.txt.*não é texto \(parece um PDF\)"):
        examples(tmp_path)


def test_broken_rows_are_reported_with_file_and_line_and_the_rest_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [
        json.dumps({"messages": DIALOGUE}).encode(),
        b"{quebrado",
        b'["uma lista"]',
        b'{"text": "caf\xe9"}',
        json.dumps({"messages": [{"role": "robo", "content": "x"}]}).encode(),
        json.dumps({"messages": DIALOGUE[:1]}).encode(),
        json.dumps({"outra": 1}).encode(),
        json.dumps({"text": "  "}).encode(),
        json.dumps({"messages": DIALOGUE, "documents": [1]}).encode(),
        json.dumps({"messages": DIALOGUE, "opportunities": ["x"]}).encode(),
        json.dumps({"text": "bom"}).encode(),
    ]
    path = tmp_path / "misto.jsonl"
    path.write_bytes(b"\n".join(lines))
    report = ReadReport()
    with caplog.at_level(logging.WARNING):
        found = [example for example, *_ in read_examples(SourceSpec(path=str(path)), report=report)]
    assert found == [DialogueExample(tuple(DIALOGUE)), TextExample("bom")]
    assert (report.rows, report.examples, report.broken) == (11, 2, 9)
    assert [message.split(":")[0] for message in report.messages] == [
        f"misto.jsonl, linha {line}" for line in (2, 3, 4, 5, 6, 7, 8, 9, 10)
    ]
    assert "JSON inválido" in caplog.text
    assert "robo" in caplog.text


def test_only_broken_rows_stop_the_run(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "ruim.jsonl", [{"outra": 1}, {"outra": 2}])
    with pytest.raises(DataError, match=r"Nenhuma das 2 linhas.*\n.*ruim\.jsonl, linha 1"):
        examples(path)


@pytest.mark.parametrize("name", ["vazio.jsonl", "vazio.csv"])
def test_an_empty_file_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="Não há nenhuma linha"):
        examples(tmp_path / name)


def test_missing_and_unknown_files_say_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nenhum arquivo de dados"):
        examples(tmp_path / "nada-*.jsonl")
    (tmp_path / "a.docx").write_bytes(b"x")
    with pytest.raises(DataError, match="não é conhecido"):
        examples(tmp_path / "a.docx")
    (tmp_path / "a.parquet").write_bytes(b"isto nao e parquet")
    with pytest.raises(DataError, match="parquet"):
        examples(tmp_path / "a.parquet")


def test_filters(tmp_path: Path) -> None:
    rows = [
        {"text": f"t{n}", "domain": "abc"[n % 3], "quality": n % 5, "era": "modern" if n % 2 else "historic"}
        for n in range(30)
    ]
    path = write_jsonl(tmp_path / "a.jsonl", rows)

    def texts(**options: Any) -> list[str]:
        return [example.text for example in examples(path, **options)]

    def expected(keep: Any) -> list[str]:
        return [row["text"] for row in rows if keep(row)]

    assert texts(where={"domain": "a"}) == expected(lambda r: r["domain"] == "a")
    assert texts(where={"domain": ["a", "b"], "era": "modern"}) == expected(
        lambda r: r["domain"] in "ab" and r["era"] == "modern"
    )
    assert texts(where={"quality": {"max": 3}}, exclude={"domain": "c"}) == expected(
        lambda r: r["quality"] <= 3 and r["domain"] != "c"
    )
    assert texts(where={"quality": {"min": 2, "max": 3}}) == expected(lambda r: 2 <= r["quality"] <= 3)
    with pytest.raises(DataError, match="recusaram todas as 30 linhas"):
        texts(where={"domain": "z"})


def test_kind_reject_cap_and_fraction(tmp_path: Path) -> None:
    rows: list[Any] = [{"text": "só texto", "t": "x"}]
    for n in range(400):
        reply = "Meu nome é Zé." if n % 4 == 0 else f"Resposta {n}"
        question = "Qual o nome?"
        rows.append({"pergunta": question, "resposta": reply, "t": str(n % 2)})
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    assert examples(path, kind="text") == [TextExample("só texto")]
    kept = examples(path, kind="dialogue", reject=r"\bNOME\b")
    assert len(kept) == 300
    assert not any("nome" in turns(example)[1][1] for example in kept)
    with pytest.raises(DataError, match="recusaram"):
        examples(path, kind="dialogue", reject_user="^qual O")
    assert len(examples(path, kind="dialogue", reject_user="resposta")) == 400
    assert len(examples(path, kind="dialogue", sample_by="t", sample_cap=7)) == 14
    some = examples(path, fraction=0.25)
    assert 60 < len(some) < 140
    assert some == examples(path, fraction=0.25)


def test_wrong_settings_are_refused_in_portuguese() -> None:
    with pytest.raises(ConfigError, match="wieght"):
        SourceSpec(path="a", wieght=2)
    with pytest.raises(ConfigError, match="expressão regular"):
        SourceSpec(path="a", reject="(")


# ---- encyclopaedia ---------------------------------------------------------------------------------------


def article(number: int) -> dict[str, Any]:
    return {
        "id": f"a-{number}",
        "title": f"Verbete {number}",
        "area": ["mar", "terra", "ar"][number % 3],
        "text": f"O verbete {number} é o primeiro parágrafo.\n\nSegundo parágrafo.",
        "qa": [{"q": f"Pergunta {number}.{k}?", "a": f"Resposta {number}.{k}."} for k in range(4)],
    }


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "enciclopedia.jsonl", [article(n) for n in range(120)])


def test_articles_give_their_text(articles: Path) -> None:
    found = examples(articles, parts=["article"])
    assert found == [TextExample(f"# Verbete {n}\n\n{article(n)['text']}") for n in range(120)]


def test_every_question_is_asked_once_alone_or_in_a_thread(articles: Path) -> None:
    found = examples(articles, parts=["questions"])
    pairs = [
        (turn[1], reply[1])
        for example in found
        for turn, reply in zip(turns(example)[::2], turns(example)[1::2], strict=True)
    ]
    assert pairs == [(pair["q"], pair["a"]) for n in range(120) for pair in article(n)["qa"]]
    lengths = {len(example.messages) for example in found}
    assert lengths >= {2, 4, 6}


def test_summaries_answer_with_the_first_paragraph(articles: Path) -> None:
    found = examples(articles, parts=["summary"])
    assert len(found) == 120
    for number, example in enumerate(found):
        assert turns(example)[1] == ("assistant", f"O verbete {number} é o primeiro parágrafo.")
        # The text has the title with a small letter inside a sentence, so the request has it too.
        assert f"verbete {number}" in turns(example)[0][1]


def test_grounded_questions_cite_the_passage_that_answers(articles: Path) -> None:
    found = examples(articles, parts=["grounded"])
    assert len(found) == 240
    assert found == examples(articles, parts=["grounded"])
    unanswered, positions = 0, set()
    for example in found:
        (_, prompt), (_, reply) = turns(example)
        number = int(prompt.rsplit("Pergunta: Pergunta ", 1)[1].split(".")[0])
        passages = prompt.removeprefix("Documentos:\n").split("\n\nPergunta: ")[0].split("\n\n[")
        gold = [place for place, text in enumerate(passages, start=1) if f"] Verbete {number}:" in f"[{text}"]
        if gold:
            assert reply.endswith(f" [{gold[0]}].")
            assert reply.startswith(f"Resposta {number}.")
            positions.add(gold[0])
        else:
            assert reply == NO_ANSWER
            unanswered += 1
    assert positions == {1, 2, 3}
    assert 10 <= unanswered <= 50


def test_passage_questions_are_asked_over_the_paragraph_that_answers(tmp_path: Path) -> None:
    rows = [
        {
            "id": f"v{n}",
            "title": f"Rio {n}",
            "area": f"área {n % 3}",
            "text": f"O rio {n} é longo.\n\nEle nasce na serra Grande{n} e tem {n + 100} quilômetros.",
            "qa": [
                {"q": "Onde nasce o rio?", "a": f"Nasce na serra Grande{n}."},
                {
                    "q": "Quem o descobriu?",
                    "a": "Bandeirantes paulistas, decerto.",
                },  # stands nowhere: not asked
            ],
        }
        for n in range(80)
    ]
    found = examples(write_jsonl(tmp_path / "rios.jsonl", rows), parts=["passage"])
    assert len(found) == 80
    alone = unanswered = 0
    for number, example in enumerate(found):
        (_, prompt), (_, reply) = turns(example)
        passages = re.findall(r"^\[(\d)\] Rio (\d+): (.+)$", prompt, re.MULTILINE)
        told = [place for place, river, text in passages if f"serra Grande{number} " in text]
        assert "Onde nasce" in prompt
        assert reply == (f"Nasce na serra Grande{number} [{told[0]}]." if told else NO_ANSWER)
        alone += len(passages) == 1
        unanswered += not told
    assert 0 < unanswered < 30 < alone < 80


# ---- evidence --------------------------------------------------------------------------------------------


def test_evidence_keeps_the_numbers_that_answers_cite() -> None:
    documents = [{"id": 2, "title": "B", "content": "b"}, {"id": 1, "content": "a"}]
    assert format_evidence(documents, " O quê? ") == "Documentos:\n[2] B: b\n\n[1] a\n\nPergunta: O quê?"
    documents = [{"id": "doc_7", "title": "B", "content": "b"}, {"id": "doc_1", "title": "", "content": "a"}]
    assert format_evidence(documents, "O quê?") == "Documentos:\n[1] B: b\n\n[2] a\n\nPergunta: O quê?"
    assert format_evidence([], "O quê?") == "O quê?"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Às 20h.", "Às 20h [2]."),
        ("Às 20h", "Às 20h [2]."),
        ("Que bom!", "Que bom [2]!"),
        ("Às 20h [1].", "Às 20h [1]."),
        ("Às 20h. [1]", "Às 20h. [1]"),
    ],
)
def test_citation_goes_before_the_final_mark(answer: str, expected: str) -> None:
    assert cite(answer, 2) == expected


def test_known_layouts_are_brought_to_one() -> None:
    unified = "Documentos:\n[1] Um texto.\n\nPergunta: Qual?"
    assert unify_grounded_turns("Contexto:\nUm texto.\n\nPergunta: Qual?", " este ") == (unified, "Este [1].")
    nothing = "O contexto não traz essa informação."
    assert unify_grounded_turns("Contexto:\nUm texto.\n\nPergunta: Qual?", nothing) == (unified, NO_ANSWER)
    instruction = "\nResponda com base nos documentos e indique o número do documento."
    assert unify_grounded_turns(unified + instruction, "Este [1].") == (unified, "Este [1].")
    bare = "[1] A: um.\n[2] B: dois.\n\nqual deles?"
    two = "Documentos:\n[1] A: um.\n\n[2] B: dois.\n\nPergunta: qual deles?"
    assert unify_grounded_turns(bare, "O A [1].") == (two, "O A [1].")
    assert unify_grounded_turns("Oi, [1] é um número?", "É.") == ("Oi, [1] é um número?", "É.")


words = st.text(alphabet="abcdé [1].?\n", min_size=1, max_size=30).map(str.strip).filter(bool)


@given(st.lists(words, min_size=1, max_size=4), words, words)
def test_what_format_evidence_writes_is_already_unified(
    contents: list[str], question: str, answer: str
) -> None:
    prompt = format_evidence([{"content": content} for content in contents], question)
    assert unify_grounded_turns(prompt, answer) == (prompt, answer)


def test_choices_depend_on_the_article_only(articles: Path, tmp_path: Path) -> None:
    random.seed(5)
    first = examples(articles, parts=["questions", "summary"])
    random.seed(6)
    assert examples(articles, parts=["questions", "summary"]) == first
