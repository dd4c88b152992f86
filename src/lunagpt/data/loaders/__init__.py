"""Files → documents: txt, md, pdf, docx, html, csv, json, jsonl, yaml and xml, read in a child process.

Names are loaded when they are first asked for: the child must be light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lunagpt.data.loaders.folder import FoundFile as FoundFile
    from lunagpt.data.loaders.folder import find_files as find_files
    from lunagpt.data.loaders.formats import SUPPORTED as SUPPORTED
    from lunagpt.data.loaders.limits import DEFAULT_LIMITS as DEFAULT_LIMITS
    from lunagpt.data.loaders.limits import Limits as Limits
    from lunagpt.data.loaders.loading import FileResult as FileResult
    from lunagpt.data.loaders.loading import load_file as load_file
    from lunagpt.data.loaders.loading import load_files as load_files
    from lunagpt.data.loaders.loading import load_folder as load_folder
    from lunagpt.data.loaders.summary import LoadSummary as LoadSummary

_HOME_OF = {
    "DEFAULT_LIMITS": "limits",
    "FileResult": "loading",
    "FoundFile": "folder",
    "Limits": "limits",
    "LoadSummary": "summary",
    "SUPPORTED": "formats",
    "find_files": "folder",
    "load_file": "loading",
    "load_files": "loading",
    "load_folder": "loading",
}

__all__ = [
    "DEFAULT_LIMITS",
    "SUPPORTED",
    "FileResult",
    "FoundFile",
    "Limits",
    "LoadSummary",
    "find_files",
    "load_file",
    "load_files",
    "load_folder",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use.

    Raises:
        AttributeError: there is no such name.
    """
    if name not in _HOME_OF:
        raise AttributeError(f"module 'lunagpt.data.loaders' has no attribute '{name}'")
    value = getattr(import_module(f"lunagpt.data.loaders.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
