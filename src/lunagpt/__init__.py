"""LunaGPT: a small Portuguese language model with its tokenizer, training, chat and retrieval.

Names are loaded when they are first asked for, so that `import lunagpt` needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lunagpt.errors import LunaError, missing_extra

if TYPE_CHECKING:
    from lunagpt.chat import LunaChat as LunaChat
    from lunagpt.config import LunaConfig as LunaConfig
    from lunagpt.models import LunaModel as LunaModel
    from lunagpt.tokenizer import LunaTokenizer as LunaTokenizer

__version__ = "0.1.0"

_HOME_OF = {
    "LunaChat": "lunagpt.chat",
    "LunaConfig": "lunagpt.config",
    "LunaModel": "lunagpt.models",
    "LunaTokenizer": "lunagpt.tokenizer",
}

__all__ = ["LunaChat", "LunaConfig", "LunaError", "LunaModel", "LunaTokenizer", "__version__"]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use.

    Raises:
        AttributeError: LunaGPT has no such name.
        MissingDependencyError: the name needs torch, which is not installed.
    """
    if name not in _HOME_OF:
        raise AttributeError(f"module 'lunagpt' has no attribute '{name}'")
    try:
        value = getattr(import_module(_HOME_OF[name]), name)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == "torch":
            raise missing_extra("torch", "torch", f"usar {name}") from error
        raise
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
