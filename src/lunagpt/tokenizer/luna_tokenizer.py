"""Text ⇄ ids: the tokenizer that all Luna models share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from tokenizers import Tokenizer

from lunagpt.errors import TokenizerError, missing_extra
from lunagpt.tokenizer import storage
from lunagpt.tokenizer.dialogue import Message, render, segments
from lunagpt.tokenizer.pretokenization import canonical
from lunagpt.tokenizer.special_tokens import (
    ASSISTANT_TOKEN,
    END_TOKEN,
    PAD_TOKEN,
    PROACTIVE_TOKEN,
    SYSTEM_TOKEN,
    THINKING_TOKEN,
    USER_TOKEN,
)
from lunagpt.tokenizer.stretches import StretchEncoder

TruncationStrategy = Literal["right", "left"]


class LunaTokenizer:
    """Byte-level BPE for Portuguese with control tokens for dialogue.

    Lossless: ``decode(encode(text))`` is the canonical composition (NFC) of ``text`` for every string, as
    long as nothing is truncated. A lone surrogate, which no UTF-8 file can hold, counts as U+FFFD.

    Control tokens are recognised by :meth:`encode` and by nothing else: :meth:`encode_content`,
    :meth:`encode_dialog` and :meth:`encode_dialog_with_mask` spell a ``<|system|>`` that stands in a message
    as ordinary characters.

    Args:
        config: a ``LunaConfig`` or a mapping; its section ``tokenizer`` may name ``tokenizer_path`` (a
            ``tokenizer.json`` or a folder) or ``vocab_path`` and ``merges_path``; without a path the
            vocabulary that ships with the package is used. ``max_length`` (tokens) and
            ``truncation_strategy`` (``"right"`` drops the end, ``"left"`` the beginning) limit
            :meth:`encode`. A configuration that names no ``max_length`` means 1,024; without any
            configuration nothing is cut.

    Raises:
        TokenizerError: a named file is missing or broken, or a setting has no meaning.
    """

    user_token = USER_TOKEN
    assistant_token = ASSISTANT_TOKEN
    system_token = SYSTEM_TOKEN
    thinking_token = THINKING_TOKEN
    proactive_token = PROACTIVE_TOKEN
    end_token = END_TOKEN
    eos_token = END_TOKEN
    pad_token = PAD_TOKEN
    #: What must stand at the start of every text; nothing in Luna's own vocabulary.
    start_token_ids: tuple[int, ...] = ()
    #: The template of dialogues where it is not Luna's.
    chat_template = ""

    def __init__(self, config: Any = None) -> None:
        self.config = config
        settings = storage.Settings.of(config)
        self.max_length = settings.max_length
        self.truncation_strategy: TruncationStrategy = settings.truncation_strategy
        self._adopt(settings.load())

    @classmethod
    def from_pretrained(cls, path: str | Path, config: Any = None) -> LunaTokenizer:
        """Loads a folder that :meth:`save_pretrained` wrote, or a model folder with one in ``tokenizer/``."""
        settings = storage.Settings.of(config)
        return cls({"tokenizer": {**settings.limits(), "tokenizer_path": str(path)}})

    @classmethod
    def from_backend(cls, backend: Tokenizer) -> LunaTokenizer:
        """Wraps a byte-level BPE of the ``tokenizers`` library and adds the control tokens that it lacks."""
        tokenizer = cls.__new__(cls)
        tokenizer.config = None
        tokenizer.max_length, tokenizer.truncation_strategy = None, "right"
        tokenizer._adopt(backend)
        return tokenizer

    @classmethod
    def default(cls) -> LunaTokenizer:
        """The vocabulary that ships with the package."""
        return cls()

    @property
    def backend_tokenizer(self) -> Tokenizer:
        """The ``tokenizers`` object that parses control tokens; assigning one replaces the vocabulary."""
        return self._parsing

    @backend_tokenizer.setter
    def backend_tokenizer(self, backend: Tokenizer) -> None:
        self._adopt(backend)

    def _adopt(self, backend: Tokenizer) -> None:
        self._parsing = storage.completed(backend)
        self._content = storage.without_control_tokens(self._parsing)
        self._stretches = StretchEncoder(self._content) if StretchEncoder.suits(self._content) else None
        self._token_bytes = storage.token_bytes(self._parsing)
        ids = storage.control_token_ids(self._parsing)
        self.special_tokens = list(ids)
        self.special_token_ids = frozenset(ids.values())
        self.user_token_id = ids[USER_TOKEN]
        self.assistant_token_id = ids[ASSISTANT_TOKEN]
        self.system_token_id = ids[SYSTEM_TOKEN]
        self.thinking_token_id = ids[THINKING_TOKEN]
        self.proactive_token_id = ids[PROACTIVE_TOKEN]
        self.end_token_id = self.eos_token_id = ids[END_TOKEN]
        self.pad_token_id = ids[PAD_TOKEN]
        self._ids = ids

    @property
    def vocab_size(self) -> int:
        """Number of ids, control tokens included; ids run from 0 to ``vocab_size - 1``."""
        return len(self._token_bytes)

    def __len__(self) -> int:
        return self.vocab_size

    def token_to_id(self, token: str) -> int | None:
        """Id of a token in its stored spelling (byte characters), or ``None``."""
        return self._parsing.token_to_id(token)

    def id_to_token(self, token_id: int) -> str | None:
        """Stored spelling (byte characters) of an id, or ``None``."""
        return self._parsing.id_to_token(token_id)

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that an id adds to the decoded text; for a control token, its name in UTF-8.

        Raises:
            TokenizerError: no such id.
        """
        if not 0 <= token_id < len(self._token_bytes):
            raise TokenizerError(
                f"O token {token_id} não existe: este vocabulário vai de 0 a {len(self._token_bytes) - 1}. "
                "Confira se o modelo e o tokenizador são da mesma pasta."
            )
        return self._token_bytes[token_id]

    def encode(self, text: str, add_special_tokens: bool = True, return_tensors: str | None = None) -> Any:
        """Turns text into ids, cut to ``max_length``.

        Args:
            text: any string.
            add_special_tokens: whether names such as ``<|user|>`` in ``text`` become control tokens. Nothing
                else is added: turns begin and end only where the text says so.
            return_tensors: ``None`` for a list, ``"pt"`` for a torch tensor or ``"np"`` for an array, int64
                ``(1, T)``.

        Raises:
            TokenizerError: an unknown ``return_tensors``.
            MissingDependencyError: ``"pt"``, and torch is not installed.
        """
        text = canonical(text)
        backend = self._parsing if add_special_tokens else self._content
        ids = self._truncated(backend.encode(text, add_special_tokens=False).ids)
        return as_tensors(ids, return_tensors)

    def encode_content(self, text: str) -> list[int]:
        """Ids of ``text`` read as plain content, uncut; never a control token."""
        return self.encode_batch_content([text])[0]

    def encode_batch_content(self, texts: Sequence[str]) -> list[list[int]]:
        """:meth:`encode_content` of many texts, fastest in batches of a megabyte or so."""
        canonical_texts = [canonical(text) for text in texts]
        if self._stretches is not None:
            return self._stretches.encode_batch(canonical_texts)
        encodings = self._content.encode_batch_fast(canonical_texts, add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def decode(self, token_ids: Any, skip_special_tokens: bool = False) -> str:
        """Turns ids back into text. Bytes that do not form a character become U+FFFD.

        Args:
            token_ids: an id, a sequence of ids, or a tensor or array of shape ``(T,)`` or ``(1, T)``.
            skip_special_tokens: whether control tokens are left out instead of spelled.

        Raises:
            TokenizerError: an id outside the vocabulary, or more than one row.
        """
        ids = _flat_ids(token_ids)
        if skip_special_tokens:
            ids = [token_id for token_id in ids if token_id not in self.special_token_ids]
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", errors="replace")

    def format_dialog(self, messages: Iterable[Message], include_thinking: bool = False) -> str:
        """The dialogue as text in the template of :mod:`lunagpt.tokenizer.dialogue`, content verbatim.

        For display and for trusted messages. As text, a ``<|end|>`` typed by a user looks like a real one;
        whoever feeds a model calls :meth:`encode_dialog`, where it cannot be mistaken.

        Raises:
            TokenizerError: an unknown role or a message without content.
        """
        return render(segments(messages, include_thinking))

    def encode_dialog(
        self, messages: Iterable[Message], include_thinking: bool = False, add_generation_prompt: bool = False
    ) -> list[int]:
        """Ids of a dialogue; control tokens come from the template alone, never from content. Uncut.

        Args:
            messages: mappings with ``role``, ``content`` and, for the assistant, optionally ``thinking``.
            include_thinking: whether thinking becomes a segment before its answer.
            add_generation_prompt: whether ``<|assistant|>`` follows, for the model to continue.

        Raises:
            TokenizerError: an unknown role or a message without content.
        """
        ids, _ = self.encode_dialog_with_mask(messages, include_thinking)
        return [*ids, self.assistant_token_id] if add_generation_prompt else ids

    def encode_dialog_with_mask(
        self, messages: Iterable[Message], include_thinking: bool = True, learn_when_to_think: bool = False
    ) -> tuple[list[int], list[int]]:
        """Ids of a dialogue and, of the same length, 1 for each id that a model should learn to produce.

        Learned are content and ``<|end|>`` of assistant, thinking and proactive turns; the control token that
        opens a turn is given, not learned, save with `learn_when_to_think`: then so is the one that opens a
        reply, ``<|thinking|>`` or ``<|assistant|>`` (never the ``<|assistant|>`` behind thinking, which is no
        choice).

        Raises:
            TokenizerError: an unknown role or a message without content.
        """
        turns = segments(messages, include_thinking)
        ids: list[int] = []
        mask: list[int] = []
        before = None
        for turn, content in zip(
            turns, self.encode_batch_content([turn.content for turn in turns]), strict=True
        ):
            ids += [self._ids[turn.token], *content, self.end_token_id]
            chosen = turn.token in (THINKING_TOKEN, ASSISTANT_TOKEN) and before != THINKING_TOKEN
            mask += [int(learn_when_to_think and chosen), *[int(turn.learned)] * (len(content) + 1)]
            before = turn.token
        return ids, mask

    def dialog_length(self, messages: Sequence[Message]) -> int:
        """Tokens that a part of a dialogue takes, thinking included, at most."""
        return len(self.encode_dialog(messages, include_thinking=True))

    def save_pretrained(self, path: str | Path) -> None:
        """Writes tokenizer.json, special_tokens.json, vocab.json and merges.txt into a folder."""
        storage.save(self._parsing, Path(path))

    def _truncated(self, ids: list[int]) -> list[int]:
        if self.max_length is None or len(ids) <= self.max_length:
            return ids
        return ids[: self.max_length] if self.truncation_strategy == "right" else ids[-self.max_length :]


def as_tensors(ids: list[int], kind: str | None) -> Any:
    """A list of ids as it is (None), or as a (1, T) tensor ("pt") or array ("np")."""
    if kind is None:
        return ids
    if kind == "np":
        import numpy

        return numpy.asarray([ids], dtype=numpy.int64)
    if kind == "pt":
        try:
            import torch
        except ImportError as error:
            raise missing_extra("torch", "torch", "devolver tensores") from error
        return torch.tensor([ids], dtype=torch.int64)
    raise TokenizerError(
        f'return_tensors="{kind}" não existe. Use "pt" (PyTorch), "np" (NumPy) ou None (lista).'
    )


def _flat_ids(token_ids: Any) -> list[int]:
    values = token_ids.tolist() if hasattr(token_ids, "tolist") else token_ids
    if isinstance(values, int):
        return [values]
    values = list(values)
    if len(values) == 1 and isinstance(values[0], Sequence):
        return list(values[0])
    if any(isinstance(value, Sequence) for value in values):
        raise TokenizerError("decode recebe uma sequência de cada vez. Chame decode para cada linha do lote.")
    return [int(value) for value in values]
