"""Examples → units → rows → batches: nothing lost, nothing mixed, and every batch found again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunagpt.data import Batch, PackedDataset
from lunagpt.data.packing import pack_best_fit
from lunagpt.data.token_cache import TokenizedSource
from lunagpt.data.units import UnitOrder, Units, cut_units
from lunagpt.errors import DataError
from lunagpt.tokenizer import LunaTokenizer

T = 48
END = 1


@pytest.fixture(scope="module")
def tokenizer() -> LunaTokenizer:
    return LunaTokenizer.default()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sources: long and short texts, dialogues of several lengths, families of unequal size."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    words = ["casa", "rio", "lua", "gato", "pão", "água", "verde", "cantar", "ontem", "muito", "coração"]

    def sentence(low: int, high: int) -> str:
        return " ".join(rng.choice(words, int(rng.integers(low, high))))

    def write(name: str, rows: list[Any]) -> None:
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    write("textos.jsonl", [{"text": f"T{n} {sentence(3, 200)}"} for n in range(60)])
    dialogues = []
    for n in range(150):
        messages = []
        for turn in range(int(rng.integers(1, 5))):
            messages.append({"role": "user", "content": f"U{n} {sentence(2, 9)}"})
            reply = {"role": "assistant", "content": f"A{n} {sentence(2, 9)}"}
            if turn == 0 and n % 3 == 0:
                reply["thinking"] = f"P{n} {sentence(2, 5)}"
            messages.append(reply)
        dialogues.append({"messages": messages})
    write("dialogos.jsonl", dialogues)
    write(
        "familias.jsonl",
        [{"pergunta": f"F{n}?", "resposta": sentence(2, 4), "f": "ab"[n < 5]} for n in range(90)],
    )
    return folder


SOURCES: list[dict[str, Any]] = [
    {"path": "textos.jsonl", "weight": 5},
    {"path": "dialogos.jsonl", "weight": 3},
    {"path": "familias.jsonl", "weight": 2, "sample_by": "f"},
]


@pytest.fixture
def packed(corpus: Path, tokenizer: LunaTokenizer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    cache = tmp_path_factory.getbasetemp() / "cache"

    def build(sources: list[dict[str, Any]] = SOURCES, **options: Any) -> PackedDataset:
        options = {"sequence_length": T, "batch_size": 4, "seed": 3, "cache_dir": cache} | options
        return PackedDataset(sources, tokenizer, root=corpus, **options)

    return build


def segments(batch: Batch) -> Iterator[tuple[list[int], list[int]]]:
    """Inputs and labels of every document of a batch, without the padding."""
    for ids, labels, documents in zip(
        batch["input_ids"], batch["labels"], batch["document_ids"], strict=True
    ):
        assert (np.diff(documents) >= 0).all()
        for document in np.unique(documents):
            here = documents == document
            if (ids[here] != 0).any():
                yield ids[here].tolist(), labels[here].tolist()


def same(left: Batch, right: Batch) -> bool:
    names = ("input_ids", "labels", "document_ids")
    return left["num_bytes"] == right["num_bytes"] and all(
        np.array_equal(left[name], right[name])
        for name in names  # type: ignore[literal-required]
    )


# ---- packing ---------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 20), max_size=120))
def test_packing_puts_every_unit_in_one_row_and_wastes_little(sizes: list[int]) -> None:
    rows = pack_best_fit(sizes, 20)
    assert sorted(unit for row in rows for unit in row) == list(range(len(sizes)))
    filled = [sum(sizes[unit] for unit in row) for row in rows]
    assert all(fill <= 20 for fill in filled)
    # No two rows could have been joined, so on average they are more than half full.
    assert all(a + b > 20 for a, b in zip(sorted(filled), sorted(filled)[1:], strict=False))


# ---- units -----------------------------------------------------------------------------------------------


def tokenized(lengths: list[int], dialogue: bool, mask: np.ndarray | None, learn_all: bool = False) -> Any:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    tokens = np.full(offsets[-1], 7, dtype=np.uint16)
    tokens[offsets[1:] - 1] = END
    return TokenizedSource(
        name="fonte",
        key="",
        tokens=tokens,
        mask=mask,
        learn_all=learn_all,
        offsets=offsets,
        dialogue=np.full(len(lengths), dialogue),
        group=np.zeros(len(lengths), dtype=np.int32),
        groups=("",),
        traits=np.full((len(lengths), 3), -1, dtype=np.int8),
    )


@given(st.lists(st.integers(2, 90), min_size=1, max_size=30), st.integers(1, 25))
def test_texts_are_cut_without_loss(lengths: list[int], limit: int) -> None:
    source = tokenized(lengths, dialogue=False, mask=None)
    units = cut_units(source, limit, END)
    assert units.slots.min() > 0
    assert units.slots.max() <= limit
    # As labels, every token but the first of each document occurs once.
    labels = [
        i
        for start, slots in zip(units.start, units.slots, strict=True)
        for i in range(start + 1, start + slots + 1)
    ]
    first = set(source.offsets[:-1].tolist())
    assert labels == [i for i in range(len(source.tokens)) if i not in first]


def dialogue_source(shape: list[tuple[int, bool]], learn_all: bool = False) -> Any:
    """One dialogue of turns (length with its end token, learned)."""
    source = tokenized([sum(length for length, _ in shape)], True, None, learn_all)
    ends = np.cumsum([length for length, _ in shape]) - 1
    source.tokens[ends] = END
    mask = np.concatenate([np.full(length, learned, dtype=np.uint8) for length, learned in shape])
    return TokenizedSource(**{**source.__dict__, "mask": mask})


@pytest.mark.parametrize("learn_all", [False, True])
def test_long_dialogues_end_with_a_whole_answer(learn_all: bool) -> None:
    shape = [(5, False), (4, True), (5, False), (4, True), (5, False), (9, True)]
    source = dialogue_source(shape, learn_all)
    for limit, expected in ((31, 31), (30, 17), (17, 17), (16, 8), (8, 8), (7, 7), (5, 5)):
        units = cut_units(source, limit, END)
        assert (units.start.tolist(), units.slots.tolist()) == ([0], [expected]), limit


def test_a_dialogue_whose_answer_does_not_fit_is_left_out() -> None:
    units = cut_units(tokenized_pair(), 8, END)
    assert (units.start.tolist(), units.slots.tolist(), units.dropped) == ([20], [5], 1)
    with pytest.raises(DataError, match="cabe em 4 tokens"):
        cut_units(dialogue_source([(5, False), (4, True)]), 4, END)


def tokenized_pair() -> Any:
    """A dialogue whose question alone fills 15 tokens, and one that fits."""
    source = tokenized([20, 6], True, None)
    mask = np.zeros(26, dtype=np.uint8)
    mask[15:20] = mask[23:26] = 1
    return TokenizedSource(**{**source.__dict__, "mask": mask})


def order_of(groups: list[int], name: str = "a", seed: int = 0) -> UnitOrder:
    zeros = np.zeros(len(groups), dtype=np.int64)
    return UnitOrder(Units(zeros, zeros + 1, np.asarray(groups), 0), name, seed)


def test_an_epoch_is_a_permutation_and_differs_from_the_next() -> None:
    order = order_of([0] * 50)
    assert len(order) == 50
    epochs = [[order[k] for k in range(e * 50, e * 50 + 50)] for e in range(3)]
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert epochs[0] == [order_of([0] * 50)[k] for k in range(50)]
    assert epochs[0] != [order_of([0] * 50, name="b")[k] for k in range(50)]
    assert epochs[0] != [order_of([0] * 50, seed=1)[k] for k in range(50)]


def test_groups_are_drawn_equally_often() -> None:
    groups = [0] * 3 + [1] * 40 + [2] * 7
    order = order_of(groups)
    drawn = [order[k] for k in range(len(order))]
    assert len(order) == 120
    assert Counter(groups[unit] for unit in drawn) == {0: 40, 1: 40, 2: 40}
    # Within a group every unit comes once before any comes again.
    assert sorted(unit for unit in drawn if groups[unit] == 1) == list(range(3, 43))
    assert set(Counter(unit for unit in drawn if groups[unit] == 2).values()) == {5, 6}


# ---- batches ---------------------------------------------------------------------------------------------


def test_documents_stay_apart_and_labels_follow_their_inputs(packed: Any, tokenizer: LunaTokenizer) -> None:
    dataset = packed()
    kinds = Counter()
    for batch in islice(dataset, 30):
        assert batch["input_ids"].shape == batch["labels"].shape == batch["document_ids"].shape == (4, T)
        assert {batch[name].dtype for name in ("input_ids", "labels", "document_ids")} == {np.dtype(np.int64)}
        assert ((batch["input_ids"] != 0) | (batch["labels"] == -100)).all()
        for ids, labels in segments(batch):
            # A label is the next input of the same document; only the last one stands alone.
            pairs = zip(ids[1:], labels[:-1], strict=True)
            assert all(label in (-100, following) for following, label in pairs)
            if tokenizer.user_token_id in ids:
                kinds["dialogue"] += 1
                assert ids[0] == tokenizer.user_token_id
                check_mask([*ids, labels[-1]], [-100, *labels], tokenizer)
            else:
                kinds["text"] += 1
                assert -100 not in labels
        learned = batch["labels"][batch["labels"] != -100].tolist()
        visible = [token for token in learned if token not in tokenizer.special_token_ids]
        assert batch["num_bytes"] == len(b"".join(map(tokenizer.token_bytes, visible)))
    assert min(kinds.values()) > 20


def check_mask(ids: list[int], labels: list[int], tokenizer: LunaTokenizer) -> None:
    """Content and end of answers and thinking are learned; questions and opening tokens are not."""
    learned_turn = False
    for token, label in zip(ids, labels, strict=True):
        if token in (tokenizer.user_token_id, tokenizer.assistant_token_id, tokenizer.thinking_token_id):
            assert label == -100
            learned_turn = token != tokenizer.user_token_id
        elif token != -100:
            assert label == (token if learned_turn else -100)


def test_loss_on_all_learns_questions_too(packed: Any) -> None:
    dataset = packed([{"path": "dialogos.jsonl", "loss_on": "all"}])
    for batch in islice(dataset, 5):
        for _, labels in segments(batch):
            assert -100 not in labels


def test_an_epoch_shows_every_token_once(packed: Any, corpus: Path, tokenizer: LunaTokenizer) -> None:
    seen: Counter[tuple[int, int]] = Counter()
    for batch in packed([{"path": "textos.jsonl", "max_repeat": 1}]):
        for ids, labels in segments(batch):
            seen.update(zip(ids, labels, strict=True))
    expected: Counter[tuple[int, int]] = Counter()
    for line in (corpus / "textos.jsonl").read_text(encoding="utf-8").splitlines():
        ids = [*tokenizer.encode_content(json.loads(line)["text"]), tokenizer.end_token_id]
        expected.update(pairwise(ids))
    assert seen == expected


def test_shares_of_the_tokens_are_the_weights(packed: Any) -> None:
    dataset = packed()
    slots = 0
    for batch in islice(dataset, 400):
        slots += int((batch["input_ids"] != 0).sum())
    progress = dataset.progress()
    total = sum(source["tokens"] for source in progress.values())
    for name, share in (("textos", 0.5), ("dialogos", 0.3), ("familias", 0.2)):
        assert abs(progress[name]["tokens"] / total - share) < 0.02
    assert slots > 0.93 * 400 * 4 * T
    # Progress counts the block being read, which is not used up yet.
    assert slots <= total < slots + 130 * T


def test_an_exhausted_source_leaves_its_share_to_the_others(packed: Any) -> None:
    sources = [
        dict(SOURCES[0], max_repeat=1),
        dict(SOURCES[1], max_repeat=3),
        dict(SOURCES[2], max_repeat=0.5),
    ]
    dataset = packed(sources)
    rows = sum(len(batch["input_ids"]) for batch in dataset)
    sizes, progress = dataset.sizes(), dataset.progress()
    assert [progress[name]["epochs"] for name in ("textos", "dialogos", "familias")] == [1.0, 3.0, 0.5]
    assert progress["dialogos"]["tokens"] == 3 * sizes["dialogos"]["slots"]
    total = sum(source["tokens"] for source in progress.values())
    assert total / T <= rows < 1.2 * total / T
    with pytest.raises(StopIteration):
        next(dataset)


# ---- resuming and ranks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 5])
def test_a_resumed_run_sees_the_batches_of_an_unbroken_one(packed: Any, batch_size: int) -> None:
    unbroken = packed(batch_size=batch_size)
    states, progress, batches = [json.dumps(unbroken.state_dict())], [unbroken.progress()], []
    for batch in islice(unbroken, 1000 // batch_size):  # seven blocks
        batches.append(batch)
        states.append(json.dumps(unbroken.state_dict()))
        progress.append(unbroken.progress())
    resumed = packed(batch_size=batch_size)

    @settings(max_examples=30)
    @given(cut=st.integers(0, len(batches) - 1), lost=st.integers(0, 3))
    def check(cut: int, lost: int) -> None:
        for _ in islice(resumed, lost):  # what a process did after its last saved state does not matter
            pass
        resumed.load_state_dict(json.loads(states[cut]))
        assert resumed.progress() == progress[cut]
        following = batches[cut : cut + 30]
        assert all(same(*pair) for pair in zip(following, islice(resumed, len(following)), strict=True))
        assert json.dumps(resumed.state_dict()) == states[cut + len(following)]

    check()


def test_a_finished_run_stays_finished_after_resuming(packed: Any) -> None:
    sources = [dict(SOURCES[1], max_repeat=1)]
    dataset = packed(sources)
    batches = list(dataset)
    resumed = packed(sources)
    resumed.load_state_dict(dataset.state_dict())
    assert list(resumed) == []
    fresh = packed(sources)
    halfway = packed(sources)
    for _ in islice(fresh, len(batches) - 1):
        pass
    halfway.load_state_dict(fresh.state_dict())
    (last,) = halfway
    assert same(last, batches[-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 4}, "seed"),
        ({"sequence_length": T + 1}, "sequence_length"),
        ({"sources": SOURCES[:2]}, "outra mistura"),
        ({"sources": [dict(SOURCES[0], weight=1), *SOURCES[1:]]}, "textos.*weight"),
        ({"sources": [dict(SOURCES[0], fraction=0.5), *SOURCES[1:]]}, "textos.*mudou"),
    ],
)
def test_a_state_of_another_run_is_refused(packed: Any, change: dict[str, Any], message: str) -> None:
    state = packed().state_dict()
    with pytest.raises(DataError, match=message):
        packed(**change).load_state_dict(state)


@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_split_the_stream_of_one(packed: Any, world_size: int) -> None:
    whole = packed(batch_size=2 * world_size)
    ranks = [packed(batch_size=2, rank=rank, world_size=world_size) for rank in range(world_size)]
    for batch in islice(whole, 40):
        parts = [next(rank) for rank in ranks]
        for name in ("input_ids", "labels", "document_ids"):
            assert np.array_equal(batch[name], np.concatenate([part[name] for part in parts]))
    states = [rank.state_dict() for rank in ranks]
    assert all(state == states[0] for state in states)
    assert states[0] == whole.state_dict()


def test_other_seeds_give_other_batches(packed: Any) -> None:
    assert same(next(packed()), next(packed()))
    assert not same(next(packed()), next(packed(seed=4)))
