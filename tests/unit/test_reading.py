"""The reader: its network against transformers', its spans, and what the shipped one can do."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.scripted_engine import ScriptedEngine
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from lunagpt.chat import LunaChat, retrieval
from lunagpt.chat.grounding import extractive_answer
from lunagpt.chat.grounding.readings import AT_ONCE
from lunagpt.config import LunaConfig
from lunagpt.errors import ModelFolderError
from lunagpt.reading import PassageReading, SpanReader, load_reader
from lunagpt.reading.encoder import Encoder, gelu
from lunagpt.reading.reader import dequantize

HIDDEN, INNER, HEADS, LAYERS, POSITIONS = 16, 32, 2, 2, 512
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz0123456789.,:?"]


def tiny_weights(vocabulary: int = len(PIECES)) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return generator.normal(0, 0.3, shape).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": draw(vocabulary, HIDDEN),
        "embeddings.position_embeddings.weight": draw(POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": draw(2, HIDDEN),
        "scores.weight": draw(2, HIDDEN),
        "scores.bias": draw(2),
    }
    norms = ["embeddings.LayerNorm"]
    for index in range(LAYERS):
        layer = f"encoder.layer.{index}"
        for name in ("attention.self.query", "attention.self.key", "attention.self.value"):
            weights[f"{layer}.{name}.weight"] = draw(HIDDEN, HIDDEN)
            weights[f"{layer}.{name}.bias"] = draw(HIDDEN)
        for name, outputs, inputs in (
            ("attention.output.dense", HIDDEN, HIDDEN),
            ("intermediate.dense", INNER, HIDDEN),
            ("output.dense", HIDDEN, INNER),
        ):
            weights[f"{layer}.{name}.weight"] = draw(outputs, inputs)
            weights[f"{layer}.{name}.bias"] = draw(outputs)
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for norm in norms:
        weights[f"{norm}.weight"], weights[f"{norm}.bias"] = 1 + draw(HIDDEN), draw(HIDDEN)
    return weights


def tiny_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram([(piece, -1.0) for piece in PIECES], unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    return tokenizer


@pytest.fixture(scope="module")
def tiny() -> SpanReader:
    return SpanReader(Encoder(tiny_weights(), HEADS), tiny_tokenizer())


def test_encoder_equals_transformers() -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    weights = tiny_weights()
    config = transformers.BertConfig(
        vocab_size=len(PIECES),
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=INNER,
        max_position_embeddings=POSITIONS,
    )
    bert = transformers.BertModel(config, add_pooling_layer=False).eval()
    state = {name: torch.from_numpy(value) for name, value in weights.items() if "scores" not in name}
    assert not any(bert.load_state_dict(state, strict=False))
    ids = np.random.default_rng(1).integers(0, len(PIECES), 50)
    with torch.no_grad():
        expected = bert(torch.from_numpy(ids)[None]).last_hidden_state[0].numpy()
    np.testing.assert_allclose(Encoder(weights, HEADS)(ids), expected, atol=2e-5)


def test_gelu() -> None:
    values = np.linspace(-6, 6, 241, dtype=np.float32)
    expected = [0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in values.tolist()]
    np.testing.assert_allclose(gelu(values), expected, atol=2e-6)


def test_span_is_the_best_of_all(tiny: SpanReader) -> None:
    (window,) = tiny.read("quem?", "ana mora em lisboa, rui em faro.").windows
    scores = {
        (i, j): float(window.starts[i] + window.ends[j])
        for i in range(len(window.starts))
        for j in range(i, min(i + 30, len(window.ends)))
    }
    (i, j), margin = max(scores.items(), key=lambda item: item[1])
    best = window.best(0, 10**6)
    assert best is not None
    assert (best.start, best.end) == (window.offsets[i, 0], window.offsets[j, 1])
    assert best.margin == pytest.approx(margin)


def test_offsets_are_those_of_the_passage(tiny: SpanReader) -> None:
    passage = "Ａna  mora\n\nem lisboa."  # a full-width letter, two spaces and an empty line
    (window,) = tiny.read("quem?", passage, title="pessoas").windows
    words = [passage[start:end] for start, end in window.offsets]
    assert "".join(words).replace("\n", "").replace(" ", "") == "Ａnamoraemlisboa."
    assert not any(word[:1].isspace() for word in words if word.strip())


def test_best_of_a_stretch_stays_inside(tiny: SpanReader) -> None:
    passage = "ana mora em lisboa. rui mora em faro."
    reading = tiny.read("quem?", passage)
    whole, second = reading.best(), reading.best(20, len(passage))
    assert whole is not None
    assert second is not None
    assert second.start >= 20
    assert second.margin <= whole.margin
    assert reading.best(500, 600) is None


@pytest.mark.parametrize("passage", ["", "  \n "])
def test_nothing_to_read(tiny: SpanReader, passage: str) -> None:
    best = tiny.read("quem?", passage).best()
    assert best is None or not passage[best.start : best.end].strip()


def test_long_passages_are_read_to_the_end(tiny: SpanReader) -> None:
    passage = " ".join(f"palavra{i}" for i in range(300))
    windows = tiny.read("quem?" * 100, passage).windows
    assert len(windows) > 5
    read = {int(end) for window in windows for end in window.offsets[:, 1]}
    assert read == {end for _, end in tiny.tokenizer.encode(passage).offsets}


def test_dequantize() -> None:
    tensors: dict[str, Any] = {
        "a": np.array([[127, -127], [64, 0]], dtype=np.int8),
        "a.scale": np.array([0.5, 2.0], dtype=np.float16),
        "b": np.array([1.5], dtype=np.float16),
    }
    weights = dequantize(tensors)
    np.testing.assert_array_equal(weights["a"], [[63.5, -63.5], [128, 0]])
    assert set(weights) == {"a", "b"}
    assert all(value.dtype == np.float32 for value in weights.values())


def test_a_broken_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="Instale o lunagpt de novo"):
        SpanReader.from_folder(tmp_path)
    (tmp_path / "config.json").write_text('{"num_heads": 2, "norm_eps": 1e-12}')
    tiny_tokenizer().save(str(tmp_path / "tokenizer.json"))
    save_file(tiny_weights(), tmp_path / "model.safetensors")
    assert SpanReader.from_folder(tmp_path).read("quem?", "ana").best() is not None
    (tmp_path / "model.safetensors").write_bytes(b"nada")
    with pytest.raises(ModelFolderError, match="Instale o lunagpt de novo"):
        SpanReader.from_folder(tmp_path)


PASSAGES = [
    {
        "title": "Regulamento da piscina",
        "content": "A piscina do Residencial Ipê funciona de terça a domingo. Às segundas ela fica fechada"
        " para limpeza. A multa por usar copos de vidro é de R$ 180,00.",
    },
    {
        "title": "Ata da assembleia",
        "content": "A reunião foi aberta pela síndica, Helena Prado, às 19h30. O conserto do portão ficou em "
        "R$ 2.400,00 e será feito pela Serralheria Norte.",
    },
]


@pytest.mark.parametrize(
    ("question", "place", "words"),
    [
        ("Quem é a síndica?", 1, "Helena Prado"),
        ("Quanto custou o conserto do portão?", 1, "2.400,00"),
        ("Qual é a multa para quem leva copo de vidro?", 0, "180,00"),
        ("Quem vai consertar o portão?", 1, "Serralheria Norte"),
    ],
)
def test_the_shipped_reader_finds_the_words(question: str, place: int, words: str) -> None:
    passage = PASSAGES[place]
    best = load_reader().read(question, passage["content"], passage["title"]).best()
    assert best is not None
    assert words in passage["content"][best.start : best.end]


@pytest.mark.parametrize("question", ["Quem é o zelador?", "Qual é a capital da França?"])
def test_the_shipped_reader_knows_when_there_is_no_answer(question: str) -> None:
    for passage in PASSAGES:
        best = load_reader().read(question, passage["content"], passage["title"]).best()
        assert best is None or best.margin < 0


def test_quotations_with_the_reader() -> None:
    answer = extractive_answer("Quem é a síndica?", PASSAGES, reader=load_reader())
    assert answer is not None
    assert answer.citations[0].number == 2
    assert answer.citations[0].quote.startswith("A reunião foi aberta pela síndica")
    assert answer.span is not None
    assert "Helena Prado" in answer.span
    money = extractive_answer("Quanto custou o conserto do portão?", PASSAGES, reader=load_reader())
    assert money is not None
    assert money.span is not None
    assert money.span.startswith("R$ 2.400,00")
    assert extractive_answer("Quem é o zelador do prédio?", PASSAGES, reader=load_reader()) is None


def test_only_the_most_promising_passages_are_read() -> None:
    class Counting:
        def __init__(self) -> None:
            self.read_passages: list[str] = []

        def read(self, question: str, passage: str, title: str = "") -> PassageReading:
            self.read_passages.append(passage)
            return load_reader().read(question, passage, title)

    reader = Counting()
    passages = [{"content": f"O portão {n} custou R$ {n}00,00."} for n in range(1, 8)]
    extractive_answer("Quanto custou o portão 5?", passages, reader=reader)  # type: ignore[arg-type]
    assert len(reader.read_passages) == AT_ONCE
    assert passages[4]["content"] in reader.read_passages


def test_the_reader_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> SpanReader:
        raise AssertionError("o leitor foi aberto")

    monkeypatch.setattr(retrieval, "load_reader", fail)

    class Found:
        def retrieve(self, query: str) -> list[dict[str, str]]:
            return PASSAGES

    config = LunaConfig.from_dict({"rag": {"use_reader": False}})
    chat = LunaChat(ScriptedEngine.echo(), Found(), config=config)
    chat.model_reads_passages = False
    assert "Helena Prado" in chat.ask("Quem é a síndica?")
    chat.use_reader = True
    with pytest.raises(AssertionError, match="o leitor foi aberto"):
        chat.ask("Quem é a síndica?")
