"""Documents → evidence: a store that is searched by words and by vectors, and what is made of its passages.

Names are loaded when they are first asked for: comparing words needs neither SQLite nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lunagpt.rag.analyzer import RAGAnalyzer as RAGAnalyzer
    from lunagpt.rag.passages import Passage as Passage
    from lunagpt.rag.schema import is_base as is_base
    from lunagpt.rag.store import DocumentStore as DocumentStore
    from lunagpt.rag.system import RAGSystem as RAGSystem

_HOME_OF = {
    "DocumentStore": "lunagpt.rag.store",
    "Passage": "lunagpt.rag.passages",
    "RAGAnalyzer": "lunagpt.rag.analyzer",
    "RAGSystem": "lunagpt.rag.system",
    "is_base": "lunagpt.rag.schema",
}

__all__ = ["DocumentStore", "Passage", "RAGAnalyzer", "RAGSystem", "is_base"]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use.

    Raises:
        AttributeError: there is no such name.
    """
    if name not in _HOME_OF:
        raise AttributeError(f"module 'lunagpt.rag' has no attribute '{name}'")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
