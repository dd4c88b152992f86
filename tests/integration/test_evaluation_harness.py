"""Our numbers are those of lm-evaluation-harness on the same weights, item by item.

The model is a Luna with random weights, saved as a Falcon-H1; the data is made here. Needs the extra
`test-harness`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.test_evaluation_peers import save_as_transformers
from tests.unit.test_model import make_model

from lunagpt.evaluation import evaluate, load_tasks
from lunagpt.evaluation.results import Result
from lunagpt.models import LunaModel

pytestmark = pytest.mark.nightly
lm_eval = pytest.importorskip("lm_eval", reason='pip install "lunagpt[test-harness]"')

PLACES = ["Recife", "Porto Alegre", "Belo Horizonte", "Belém do Pará", "Luanda", "Coimbra", "Ouro Preto"]
THINGS = ["a estação de trem", "o mercado", "uma escola antiga", "o rio e a ponte", "a biblioteca do bairro"]
DOINGS = ["fica perto de", "foi construída antes de", "é maior do que", "lembra"]


def rows(n: int = 80) -> list[dict[str, Any]]:
    """Questions of four alternatives of unlike length, and a sentence beside the same with its end turned."""
    generator = np.random.default_rng(7)

    def pick(values: list[str]) -> str:
        return str(generator.choice(values))

    made = []
    for number in range(n):
        thing, doing = pick(THINGS), pick(DOINGS)
        choices = [f"{pick(PLACES)}, {pick(THINGS)}" if i % 2 else pick(PLACES) for i in range(4)]
        made.append(
            {
                "id": str(number),
                "question": f"{thing.capitalize()} {doing} quê?",
                "choices": choices,
                "answer_index": int(generator.integers(4)),
                "right": f"{thing.capitalize()} {doing} {pick(PLACES)}.",
                "wrong": f"{pick(PLACES)} {doing} {thing}.",
            }
        )
    return made


@pytest.fixture(scope="module")
def model() -> LunaModel:
    return make_model(seed=11).eval()


@pytest.fixture(scope="module")
def harness(model: LunaModel, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Path]:
    """A folder of data, lm-evaluation-harness's model, and the transformers folder that both read."""
    from lm_eval.models.huggingface import HFLM

    folder = save_as_transformers(model, tmp_path_factory.mktemp("peer") / "luna-falcon")
    data = tmp_path_factory.mktemp("dados")
    (data / "itens.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    return data, HFLM(pretrained=str(folder), device="cpu", dtype="float32", batch_size=8), folder


def theirs(data: Path, harness: Any, tmp_path: Path, **fields: Any) -> dict[str, np.ndarray]:
    """Scores of every item under the harness: "acc" and, where it gives it, "acc_norm"."""
    config = {
        "task": "itens",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data / "itens.jsonl")}, "cache_dir": str(tmp_path)},
        "test_split": "test",
        "output_type": "multiple_choice",
        "target_delimiter": "",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
        **fields,
    }
    found = lm_eval.simple_evaluate(harness, tasks=[config], log_samples=True, bootstrap_iters=0)
    samples = sorted(found["samples"]["itens"], key=lambda sample: sample["doc_id"])
    return {name: np.array([sample[name] for sample in samples]) for name in ("acc", "acc_norm")}


def ours(model: Any, data: Path, tmp_path: Path, task: str) -> Result:
    (tmp_path / "itens.yaml").write_text(f"title: Itens\nfile: itens\nmetrics: [accuracy]\n{task}")
    return evaluate(model, load_tasks(tmp_path), data).results[0]


@pytest.mark.parametrize(("normalize", "metric"), [("bytes", "acc_norm"), ("none", "acc")])
def test_multiple_choice_agrees(
    model: LunaModel, harness: Any, tmp_path: Path, normalize: str, metric: str
) -> None:
    data, other, folder = harness
    expected = theirs(
        data,
        other,
        tmp_path,
        doc_to_text="Pergunta: {{question}}\nResposta:",
        doc_to_choice="{{ [' ' + choices[0], ' ' + choices[1], ' ' + choices[2], ' ' + choices[3]] }}",
        doc_to_target="{{answer_index}}",
    )[metric]
    for measured in (model, folder):
        result = ours(
            measured,
            data,
            tmp_path,
            f'method: choice\nprompt: "Pergunta: {{question}}\\nResposta:"\nnormalize: {normalize}\n',
        )
        assert result.low <= expected.mean() <= result.high
        # they divide by characters and count the space: an item or two near a tie may differ
        assert np.mean(np.array(result.per_item) == expected) >= (0.95 if normalize == "bytes" else 1.0)
    assert 0 < expected.mean() < 1


def test_sentence_pairs_agree(model: LunaModel, harness: Any, tmp_path: Path) -> None:
    data, other, _ = harness
    expected = theirs(
        data,
        other,
        tmp_path,
        doc_to_text="Frase:",
        doc_to_choice="{{ [' ' + right, ' ' + wrong] }}",
        doc_to_target=0,
    )["acc"]
    paired = [{**row, "choices": [row["right"], row["wrong"]], "answer_index": 0} for row in rows()]
    (tmp_path / "pares").mkdir()
    (tmp_path / "pares" / "itens.jsonl").write_text("".join(json.dumps(row) + "\n" for row in paired))
    result = ours(model, tmp_path / "pares", tmp_path, 'method: choice\nprompt: "Frase:"\nnormalize: none\n')
    assert result.per_item == list(expected)
    assert result.low <= expected.mean() <= result.high
