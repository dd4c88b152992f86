"""What the rules make of rows is pinned to their versions, which keep stale tokens from being trained on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from lunagpt.data import SourceSpec, encyclopedia, read_examples, token_cache
from lunagpt.data.encyclopedia import PARTS

ARTICLES = [
    {
        "id": f"a-{number}",
        "title": f"Rio {number}",
        "area": ["mar", "terra", "ar"][number % 3],
        "text": f"O rio {number} nasce na serra {number}.\n\nTem {number + 100} quilômetros de extensão.",
        "qa": [
            {"q": f"Onde nasce o rio {number}?", "a": f"Nasce na serra {number}."},
            {"q": f"Quanto mede o rio {number}?", "a": f"Tem {number + 100} quilômetros."},
            {"q": f"Quem navega o rio {number}?", "a": "Pescadores."},
        ],
    }
    for number in range(40)
]
TALK = [{"role": "user", "content": "Quando abre?"}, {"role": "assistant", "content": "Às 8h."}]
ROWS: list[dict[str, Any]] = [
    {"messages": TALK, "documents": [{"title": "Aviso", "content": "Abre às 8h."}]},
    {"messages": [{**TALK[0], "content": "Contexto:\nAbre às 8h.\n\nPergunta: Quando abre?"}, TALK[1]]},
    {"messages": TALK, "persona": "friendly", "opportunities": [{"suggestion": "Quer o endereço?"}]},
    {"prompt_messages": TALK[:1], "chosen": "Às 8h, todos os dias."},
    {"instruction": "Some.", "input": "1 e 2", "output": "3"},
    {"pergunta": "Quem?", "resposta": "Eu."},
    {"title": "Sol", "content": "Uma estrela."},
]


def digest(folder: Path, rows: list[dict[str, Any]], **options: Any) -> str:
    """Of all the examples of `rows`, in order."""
    path = folder / "linhas.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    made = [repr(example) for example, *_ in read_examples(SourceSpec(path=str(path), **options))]
    return hashlib.sha256("\n".join(made).encode()).hexdigest()[:12]


@pytest.mark.parametrize(
    ("part", "version", "expected"),
    [
        ("article", 1, "93381018d0ad"),
        ("questions", 1, "efdff590ff1c"),
        ("summary", 1, "eadfdce86a16"),
        ("grounded", 1, "b48455567f6c"),
        ("passage", 1, "ba0966ee3bc0"),
    ],
)
def test_a_part_that_gives_other_examples_has_another_version(
    tmp_path: Path, part: str, version: int, expected: str
) -> None:
    found = (PARTS[part], digest(tmp_path, ARTICLES, parts=[part]))
    assert found == (version, expected), "other examples: raise the part's number in PARTS and pin both here"


def test_rows_that_give_other_examples_have_another_format_version(tmp_path: Path) -> None:
    found = (token_cache.FORMAT_VERSION, digest(tmp_path, ROWS, unify_evidence=True, persona_prompt=True))
    assert found == (3, "72dca2144fd5"), "other examples: raise FORMAT_VERSION and pin both here"


def test_a_part_made_by_another_rule_is_not_taken_from_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    passages, questions = (SourceSpec(path="x.jsonl", parts=[part]) for part in ("passage", "questions"))
    before, untouched = passages.content_options(), questions.content_options()
    monkeypatch.setitem(encyclopedia.PARTS, "passage", PARTS["passage"] + 1)
    assert passages.content_options() != before
    assert questions.content_options() == untouched


def test_every_part_that_a_recipe_may_name_has_a_version() -> None:
    assert SourceSpec(path="x.jsonl").parts == list(PARTS)
