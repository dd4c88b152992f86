"""Embedding models in the folder format of sentence-transformers, such as multilingual-e5-base."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lunagpt.errors import missing_extra
from lunagpt.rag.embeddings.base import EmbeddingError, Vectors, clean_text, folder_fingerprint, unit_rows
from lunagpt.rag.embeddings.memory import memory_errors

#: The file every such folder has.
MARKER = "modules.json"
_BATCH = 16


class SentenceFolderEmbedder:
    """A folder written by sentence-transformers; only safetensors weights, nothing from the network.

    If the folder names prompts for questions and passages, they are used. Models of the E5 family need
    "query: " and "passage: " but their folders often do not say so: they get them when "e5" is in the name.
    """

    def __init__(self, folder: str | Path, device: str = "cpu") -> None:
        """
        Raises:
            MissingDependencyError: sentence-transformers is not installed.
            EmbeddingError: the folder is no such model, or is damaged.
            MemoryError: it does not fit into memory.
        """
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise missing_extra(
                "sentence-transformers", "vectors", "abrir um modelo de vetores dessa pasta"
            ) from error
        path = Path(folder)
        try:
            with memory_errors():
                self._model: Any = SentenceTransformer(
                    str(path),
                    device=device,
                    local_files_only=True,
                    trust_remote_code=False,
                    model_kwargs={"use_safetensors": True},
                )
                dimension = self._model.get_embedding_dimension()
        except (MemoryError, EmbeddingError):
            raise
        except Exception as error:  # a damaged folder fails anywhere in three libraries, in any way
            raise EmbeddingError(
                f'A pasta "{path}" não abriu como modelo de vetores ({_first_line(error)}). '
                "Confira se ela está completa e tem os pesos em model.safetensors."
            ) from error
        if dimension is None:
            raise EmbeddingError(
                f'A pasta "{path}" não diz quantas dimensões os vetores têm. Use outro modelo.'
            )
        self.dimension = int(dimension)
        self.name = f"{path.resolve().name}-{folder_fingerprint(path)}"
        self._query_prefix, self._passage_prefix = _prefixes(path, self._model.prompts)

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return self._embed([self._passage_prefix + clean_text(text) for text in texts])

    def embed_query(self, text: str) -> Vectors:
        vector: Vectors = self._embed([self._query_prefix + clean_text(text)])[0]
        return vector

    def _embed(self, texts: list[str]) -> Vectors:
        with memory_errors():
            # The prefix is in the text already: an empty prompt keeps the folder's default from being added.
            vectors = self._model.encode(texts, prompt="", batch_size=_BATCH, show_progress_bar=False)
        return unit_rows(vectors.reshape(len(texts), self.dimension))


def _prefixes(folder: Path, prompts: Mapping[str, str | None] | None) -> tuple[str, str]:
    """What goes in front of questions and of passages."""
    named = {name: text for name, text in (prompts or {}).items() if text}
    query = named.get("query")
    passage = named.get("document", named.get("passage"))
    if query is None and passage is None and "e5" in _names(folder):
        return "query: ", "passage: "
    return query or "", passage or ""


def _names(folder: Path) -> str:
    """Names under which the model is known, in lower case."""
    names = [folder.resolve().name]
    with suppress(OSError, ValueError, KeyError, TypeError):  # the folder's own name may be all there is
        names.append(str(json.loads((folder / "config.json").read_text(encoding="utf-8"))["_name_or_path"]))
    return " ".join(names).lower()


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__
