"""From the options of a command to a conversation that is ready."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lunagpt.commands import texts
from lunagpt.commands.progress import ProgressLine
from lunagpt.config import LunaConfig
from lunagpt.generation import SamplingParams
from lunagpt.model_folders import default_model, find_model
from lunagpt.utils.hardware import usable_threads

if TYPE_CHECKING:
    from lunagpt.chat import LunaChat
    from lunagpt.models import LunaModel


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """What the options of a conversation say; None leaves the default.

    Attributes:
        knowledge_base: a base or a folder of documents to look things up in.
        lookup: whether anything is looked up at all.
        encyclopedia: whether the built-in encyclopaedia is one of the places.
        show_thinking: show what the model thinks before it answers; False leaves that to the configuration.
    """

    config: Path | None = None
    model: Path | None = None
    system: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    verbose: bool = False
    knowledge_base: Path | None = None
    lookup: bool = True
    encyclopedia: bool = True
    show_thinking: bool = False
    max_thinking_tokens: int | None = None

    def sampling(self, config: LunaConfig | None = None) -> SamplingParams:
        """The rules for choosing words and for thinking: as the options say, else the configuration."""
        given: dict[str, Any] = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_new_tokens": self.max_tokens,
            "seed": self.seed,
            "thinking": None if config is None else config.thinking.mode,
            "max_thinking_tokens": self.max_thinking_tokens
            or (None if config is None else config.thinking.max_thinking_tokens),
        }
        return SamplingParams(**{name: value for name, value in given.items() if value is not None})


def model_folder(chosen: Path | None, config: LunaConfig | None = None) -> Path:
    """The folder of the model: the chosen one (a path, or the name of a shipped one), else that of the
    configuration, else the one that answers when nobody says which (`default_model`).

    Raises:
        ModelFolderError: it does not exist.
    """
    path = chosen
    if path is None and config is not None and config.model.base_path:
        path = Path(config.model.base_path)
    return default_model() if path is None else find_model(path)


def open_chat(settings: ChatSettings) -> LunaChat:
    """Loads the model and starts a conversation.

    Raises:
        LunaError: the configuration or the model folder is wrong, or torch is missing.
    """
    config = (
        LunaConfig.from_environment() if settings.config is None else LunaConfig.from_file(settings.config)
    )
    model = load_model(model_folder(settings.model, config), config)
    from lunagpt.chat import LunaChat

    chat = LunaChat(
        model,
        config=config,
        system_prompt=settings.system,
        params=settings.sampling(config),
        show_thinking=settings.show_thinking or None,
    )
    if "rag" in config.hardware.skip_components and settings.knowledge_base is None:
        settings = replace(settings, lookup=False)
    return connect(chat, settings, encyclopedia=settings.encyclopedia)


def load_model(folder: Path, config: LunaConfig) -> LunaModel:
    """Loads a model and chooses the number of threads; what the settings cost is said on the error output.

    Raises:
        LunaError: the folder is wrong, or torch is missing.
    """
    # Read when torch is first imported. Threads that spin while they wait fight over the cores as soon as
    # anything else runs: on two busy cores two of them wrote 1 token/s, waiting passively 15.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with _waiting(texts.LOADING.format(model=folder.resolve().name)):
        from lunagpt import LunaModel  # needs torch, which takes a second or two to import

        set_threads(config.hardware.cpu_threads)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = LunaModel.from_pretrained(folder, config)
    for warning in caught:
        if warning.category.__module__.startswith("lunagpt."):  # those of other packages are for programmers
            print(texts.WARNING.format(message=warning.message), file=sys.stderr)
    return model


def connect(chat: LunaChat, settings: ChatSettings, *, encyclopedia: bool) -> LunaChat:
    """Gives a conversation the places to look things up that the options name; returns it.

    Raises:
        StoreError: a base cannot be opened.
    """
    if not settings.lookup:
        chat.disable_rag()
        return chat
    if settings.knowledge_base is not None:
        with _waiting(texts.OPENING_BASE.format(base=settings.knowledge_base)):
            chat.enable_rag(settings.knowledge_base)
    if encyclopedia:
        chat.enable_encyclopedia()
    return chat


def set_threads(threads: int | None) -> None:
    """Lets torch use so many threads; None means one for each physical core, or fewer by OMP_NUM_THREADS."""
    import torch

    torch.set_num_threads(threads or usable_threads())


@contextmanager
def _waiting(text: str) -> Iterator[None]:
    """Shows a line while the block runs, on a terminal only, and takes it away afterwards."""
    line = ProgressLine(stages=False)
    line.show(text)
    try:
        yield
    finally:
        line.clear()
