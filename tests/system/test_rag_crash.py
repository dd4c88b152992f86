"""Killed at any moment, a base holds whole documents, and the next run finishes the work."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.rag_helpers import WordEmbedder, check_base

from lunagpt.rag import DocumentStore

FILES = 40

# A process' work until it is killed: bring the base up to date, embed, index, copy, change the folder, again.
WORKER = """
import sys
from pathlib import Path
from tests.rag_helpers import WordEmbedder
from lunagpt.rag import DocumentStore, folder_sync

folder_sync._BATCH_FILES = 3
folder, base, copy = map(Path, sys.argv[1:4])
print("pronto", flush=True)
turn = 0
while True:
    turn += 1
    with DocumentStore(base, embedder=WordEmbedder()) as store:
        store.add_documents_from_directory(folder)
        store.create_embeddings(batch_size=4)
        store.build_index()
        store.process_documents(chunk_size=32 + 8 * (turn % 2), chunk_overlap=0)
        loose = [{"id": f"solto{n}", "content": f"Texto solto {n * turn}. " * 9} for n in range(9)]
        store.add_documents(loose)
        store.remove_documents_by_filter(filter={"id": {"$contains": "solto"}})
        store.save(copy)
    for number in range(0, 40, 5):
        path = folder / f"{(number + turn) % 40}.txt"
        new = folder.parent / "novo.txt"  # a kill in the middle of writing leaves no empty file behind
        new.write_text(path.read_text(encoding="utf-8") + f" Volta {turn}.", encoding="utf-8")
        new.replace(path)
"""


def fill(folder: Path) -> None:
    folder.mkdir()
    for number in range(FILES):
        sentences = [f"O bairro {number} tem {number * k} casas na quadra {k}." for k in range(8)]
        (folder / f"{number}.txt").write_text(" ".join(sentences), encoding="utf-8")


def crash(tmp_path: Path, kills: int, seed: int) -> None:
    folder, base, copy = tmp_path / "pasta", tmp_path / "base", tmp_path / "cópia"
    fill(folder)
    chance = random.Random(seed)
    for _ in range(kills):
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(folder), str(base), str(copy)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"pronto\n", worker.stderr and worker.stderr.read()
        time.sleep(chance.uniform(0.0, 1.5))
        worker.kill()
        _, complaints = worker.communicate()
        assert worker.returncode == -signal.SIGKILL, complaints.decode()
        if base.exists() and (base / "luna.db").exists():
            with DocumentStore(base, embedder=False):
                pass
            check_base(base)
        if copy.exists():
            check_base(copy)
    # A run that nobody kills ends like a run that nobody ever killed.
    embedder = WordEmbedder()
    with DocumentStore(base, embedder=embedder) as store, DocumentStore(embedder=embedder) as fresh:
        for one in (store, fresh):
            one.add_documents_from_directory(folder)
            one.remove_documents_by_filter(filter={"id": {"$contains": "solto"}})
            one.process_documents(chunk_size=40, chunk_overlap=0)
            one.create_embeddings()
        assert sorted(map(told, store.chunks())) == sorted(map(told, fresh.chunks()))
        assert store.vector_count() == store.chunk_count
        for question in ("casas do bairro 7", "quadra 3 do bairro 12"):
            vector = embedder.embed_query(question)
            scores = [
                [round(passage.score, 3) for passage in one.search_hybrid(question, vector, 3)]
                for one in (store, fresh)
            ]
            assert scores[0] == scores[1]
    check_base(base)


def told(chunk: object) -> tuple[str, int, str]:
    return chunk["document_id"], chunk["start"], chunk["content"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills processes the POSIX way")
def test_killed_twice(tmp_path: Path) -> None:
    crash(tmp_path, kills=2, seed=1)


@pytest.mark.nightly
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills processes the POSIX way")
def test_killed_twenty_times(tmp_path: Path) -> None:
    crash(tmp_path, kills=20, seed=random.randrange(2**32))
