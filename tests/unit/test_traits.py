"""What rows say of their dialogues reaches every token of the batch."""

import itertools
import json
from pathlib import Path

import pytest

from lunagpt.data import PackedDataset
from lunagpt.data.traits import DOMAINS, EMOTIONS, PERSONAS, UNKNOWN, traits_of
from lunagpt.tokenizer import LunaTokenizer


@pytest.mark.parametrize(
    ("row", "persona", "domain", "emotion"),
    [
        ({"persona": "friendly", "domain": "cozinha", "emotion": "alegria"}, "friendly", "everyday", "joy"),
        ({"domain": "Física-do-dia_a dia", "emotion": "Confiança"}, None, "science", "trust"),
        ({"domain": "law", "emotion": "fear"}, None, "law", "fear"),
        ({"domain": "economia e trabalho"}, None, "business", None),
        ({"area": "história do Brasil"}, None, "culture", None),
        ({"persona": "pirata", "domain": 3, "emotion": None}, None, None, None),
        ({}, None, None, None),
    ],
)
def test_traits_are_read_from_columns(
    row: dict[str, object], persona: str | None, domain: str | None, emotion: str | None
) -> None:
    found = traits_of(row)
    for name, names, expected in (
        ("persona", PERSONAS, persona),
        ("domain", DOMAINS, domain),
        ("emotion", EMOTIONS, emotion),
    ):
        assert found[name] == (UNKNOWN if expected is None else names.index(expected))


def test_every_token_knows_the_traits_of_its_document(tmp_path: Path) -> None:
    tokenizer = LunaTokenizer.default()
    rows = [
        {"pergunta": "tristeza", "resposta": "Sinto muito.", "emotion": "tristeza", "persona": "friendly"},
        {"pergunta": "alegria", "resposta": "Que bom!", "emotion": "alegria"},
        {"text": "Um texto sem rótulo algum, um pouco mais longo que os outros."},
    ]
    path = tmp_path / "dados.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    data = PackedDataset(
        [{"path": str(path)}], tokenizer, sequence_length=64, batch_size=2, cache_dir=tmp_path / "cache"
    )
    expected = {
        "tristeza": {"emotion": EMOTIONS.index("sadness"), "persona": PERSONAS.index("friendly")},
        "alegria": {"emotion": EMOTIONS.index("joy"), "persona": UNKNOWN},
        "rótulo": {"emotion": UNKNOWN, "persona": UNKNOWN},
    }
    seen = set()
    for batch in itertools.islice(data, 4):
        for row, document in {(r, d) for r in range(2) for d in batch["document_ids"][r]}:
            here = batch["document_ids"][row] == document
            text = tokenizer.decode(batch["input_ids"][row, here].tolist(), skip_special_tokens=True)
            word = next((word for word in expected if word in text), None)
            if word is None:  # padding, or the later part of a cut text
                continue
            seen.add(word)
            for name, value in expected[word].items():
                assert set(batch["traits"][name][row, here]) == {value}
            assert set(batch["traits"]["domain"][row, here]) == {UNKNOWN}
    assert seen == expected.keys()
