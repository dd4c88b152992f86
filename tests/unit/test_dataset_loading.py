"""The token cache, `DataLoader.load_dataset` and `ValidationSet`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lunagpt.config.reading import read_settings
from lunagpt.data import DataLoader, PackedDataset, SourceSpec, ValidationSet
from lunagpt.data.sources import parse_sources
from lunagpt.data.token_cache import tokenize_source
from lunagpt.errors import DataError
from lunagpt.tokenizer import LunaTokenizer


@pytest.fixture(scope="module")
def tokenizer() -> LunaTokenizer:
    return LunaTokenizer.default()


@pytest.fixture
def dialogues(tmp_path: Path) -> Path:
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"Quanto é {n} mais {n}?"},
                {"role": "assistant", "content": f"São {2 * n}.", "thinking": "Somo os dois."},
            ],
            "tema": ["soma", "conta"][n % 2],
        }
        for n in range(40)
    ]
    path = tmp_path / "dialogos.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "livro.txt"
    path.write_text("A lua subiu devagar sobre o rio. " * 300, encoding="utf-8")
    return path


def test_tokens_are_made_once_and_renewed_when_something_changes(
    dialogues: Path, tokenizer: LunaTokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    original = LunaTokenizer.encode_dialog_with_mask

    def counted(self: LunaTokenizer, *arguments: Any, **options: Any) -> Any:
        calls.append(1)
        return original(self, *arguments, **options)

    monkeypatch.setattr(LunaTokenizer, "encode_dialog_with_mask", counted)

    def work(**options: Any) -> int:
        before = len(calls)
        spec = SourceSpec(path=str(dialogues), **options)
        source = tokenize_source(spec, tokenizer, cache_dir=tmp_path / "cache")
        ids, mask = original(tokenizer, read_messages(dialogues)[-1], include_thinking=spec.thinking)
        assert source.tokens[source.offsets[-2] :].tolist() == ids
        assert source.mask is not None
        assert source.mask[source.offsets[-2] :].tolist() == mask
        return len(calls) - before

    assert work() == 40
    assert work() == 0
    assert work(weight=3, name="dialogos", loss_on="all", max_repeat=2) == 0
    assert work(thinking=False) == 40
    with open(dialogues, "a", encoding="utf-8") as stream:
        stream.write(json.dumps({"pergunta": "Fim?", "resposta": "Fim."}) + "\n")
    assert work() == 41


def read_messages(path: Path) -> list[list[dict[str, str]]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    pair = ("user", "pergunta"), ("assistant", "resposta")
    return [
        row.get("messages") or [{"role": role, "content": row[column]} for role, column in pair]
        for row in rows
    ]


def test_a_failed_tokenising_leaves_no_cache(tmp_path: Path, tokenizer: LunaTokenizer) -> None:
    (tmp_path / "ruim.jsonl").write_text('{"nada": 1}\n', encoding="utf-8")
    with pytest.raises(DataError):
        tokenize_source(
            SourceSpec(path=str(tmp_path / "ruim.jsonl")), tokenizer, cache_dir=tmp_path / "cache"
        )
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_cache_says_which_folder_to_delete(
    dialogues: Path, tokenizer: LunaTokenizer, tmp_path: Path
) -> None:
    spec = SourceSpec(path=str(dialogues))
    tokenize_source(spec, tokenizer, cache_dir=tmp_path / "cache")
    (folder,) = (tmp_path / "cache").iterdir()
    (folder / "tokens.bin").write_bytes(b"curto")
    with pytest.raises(DataError, match=f"{folder.name}.*Apague essa pasta"):
        tokenize_source(spec, tokenizer, cache_dir=tmp_path / "cache")


def test_a_cache_that_cannot_be_written_says_so(
    dialogues: Path, tokenizer: LunaTokenizer, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("um arquivo no lugar da pasta", encoding="utf-8")
    with pytest.raises(DataError, match="Não consegui gravar"):
        tokenize_source(SourceSpec(path=str(dialogues)), tokenizer, cache_dir=tmp_path / "cache")


def test_loaded_examples_are_whole_and_learn_only_answers(
    dialogues: Path, tokenizer: LunaTokenizer, tmp_path: Path
) -> None:
    dataset = DataLoader.load_dataset(dialogues, tokenizer, max_length=64, cache_dir=tmp_path / "cache")
    assert len(dataset) == 40
    for item, messages in zip(dataset, read_messages(dialogues), strict=True):
        ids, mask = tokenizer.encode_dialog_with_mask(messages)
        assert item["input_ids"] == ids
        assert item["labels"] == [token if learn else -100 for token, learn in zip(ids, mask, strict=True)]
    assert dataset[-1] == dataset[39]
    assert dataset[1:3] == [dataset[1], dataset[2]]
    with pytest.raises(IndexError):
        dataset[40]


def test_the_tokenizer_and_the_length_are_optional(book: Path, tmp_path: Path) -> None:
    whole = DataLoader.load_dataset(str(book), cache_dir=tmp_path / "cache")
    (item,) = whole
    cut = DataLoader.load_dataset(book, max_length=100, format="text", cache_dir=tmp_path / "cache")
    assert max(len(piece["input_ids"]) for piece in cut) == 100
    # Pieces share the token at the cut: it is the last label of one and the first input of the next.
    joined = cut[0]["input_ids"] + [token for piece in cut[1:] for token in piece["input_ids"][1:]]
    assert joined == item["input_ids"]
    with pytest.raises(DataError, match="comprimento"):
        whole.packed(batch_size=2)
    assert len(list(cut.packed(batch_size=2, epochs=1))) == -(-(len(joined) - 1) // 100 // 2)


def test_the_format_selects_the_kind(
    dialogues: Path, book: Path, tokenizer: LunaTokenizer, tmp_path: Path
) -> None:
    def load(form: Any) -> int:
        paths = [dialogues, book]
        return len(DataLoader.load_dataset(paths, tokenizer, format=form, cache_dir=tmp_path / "cache"))

    assert load("auto") == 41
    assert [load(form) for form in ("dialogue", "instruction", "qa", "text")] == [40, 40, 40, 1]
    with pytest.raises(DataError, match='"xml" não existe'):
        load("xml")


def test_packed_examples_are_those_of_the_mixture(
    dialogues: Path, tokenizer: LunaTokenizer, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    loaded = DataLoader.load_dataset(dialogues, tokenizer, max_length=64, cache_dir=cache)
    left = loaded.packed(batch_size=3, seed=5, epochs=2)
    right = PackedDataset(
        [{"path": str(dialogues), "max_repeat": 2}],
        tokenizer,
        sequence_length=64,
        batch_size=3,
        seed=5,
        cache_dir=cache,
    )
    pairs = list(zip(left, right, strict=True))
    assert len(pairs) > 3
    assert all(np.array_equal(a["input_ids"], b["input_ids"]) for a, b in pairs)


def test_validation_is_fixed_complete_and_grouped(
    dialogues: Path, book: Path, tokenizer: LunaTokenizer, tmp_path: Path
) -> None:
    sources = [
        {"name": "conversa", "path": str(dialogues), "sample_by": "tema"},
        {"name": "livro", "path": str(book)},
    ]
    options = {"sequence_length": 64, "batch_size": 4, "cache_dir": tmp_path / "cache"}
    validation = ValidationSet(sources, tokenizer, **options)
    assert validation.groups == ("conversa/soma", "conversa/conta", "livro")
    first, second = list(validation), list(validation)
    assert len(first) == len(validation) > 3
    for (group, batch), (again, other) in zip(first, second, strict=True):
        assert group == again
        assert np.array_equal(batch["input_ids"], other["input_ids"])
        assert np.array_equal(batch["labels"], other["labels"])

    learned = dict.fromkeys(validation.groups, 0)
    num_bytes = dict.fromkeys(validation.groups, 0.0)
    for group, batch in first:
        learned[group] += int((batch["labels"] != -100).sum())
        num_bytes[group] += batch["num_bytes"]
    text = book.read_text(encoding="utf-8").strip()
    ids = tokenizer.encode_content(text)
    assert learned["livro"] == len(ids)  # all but the first, and the end
    assert num_bytes["livro"] == len(text.encode()) - len(tokenizer.token_bytes(ids[0]))
    masks = [tokenizer.encode_dialog_with_mask(messages)[1] for messages in read_messages(dialogues)]
    assert learned["conversa/soma"] == sum(map(sum, masks[::2]))
    assert learned["conversa/conta"] == sum(map(sum, masks[1::2]))

    small = ValidationSet(sources, tokenizer, max_tokens=200, **options)
    for group in small.groups:
        slots = sum(int((batch["input_ids"] != 0).sum()) for batch in small.batches(group))
        assert 200 <= slots <= 264


MIXTURES = sorted(Path(__file__).parents[2].glob("configs/treino/*.yaml"))


@pytest.mark.parametrize("path", MIXTURES, ids=[path.stem for path in MIXTURES])
def test_shipped_mixtures_are_valid_and_train_on_no_held_out_row(path: Path) -> None:
    content = read_settings(path)
    sources = parse_sources(content["sources"])
    assert sum(source.weight for source in sources) == pytest.approx(100, abs=5)  # read as percentages
    for source in sources:
        for pattern in source.patterns:
            assert not pattern.startswith(("eval/", "pretrain/valid", "sft/valid"))
            if pattern.startswith("luna/"):
                assert source.where["split"] == "train"
    for source in parse_sources(content["validation"]):
        for pattern in source.patterns:
            assert source.where.get("split") == "valid" or "/valid-" in pattern
