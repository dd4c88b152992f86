"""The tokenizer of a base of another family, used as Luna's own is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from lunagpt.errors import TokenizerError, missing_extra
from lunagpt.tokenizer import storage
from lunagpt.tokenizer.chat_template import ChatTemplate, Content
from lunagpt.tokenizer.dialogue import Message
from lunagpt.tokenizer.luna_tokenizer import LunaTokenizer, as_tensors
from lunagpt.tokenizer.special_tokens import (
    ASSISTANT_TOKEN,
    PROACTIVE_TOKEN,
    SYSTEM_TOKEN,
    THINKING_TOKEN,
    USER_TOKEN,
)

CONFIG_FILE = "tokenizer_config.json"

#: Role tokens that a base without a chat template is given, and the words whose mean each begins as.
WORDINGS = {
    SYSTEM_TOKEN: "\n\nInstruções:",
    USER_TOKEN: "\n\nUsuário:",
    ASSISTANT_TOKEN: "\n\nLuna:",
    THINKING_TOKEN: "\n\nPensamento:",
    PROACTIVE_TOKEN: "\n\nLuna:",
}


class BaseTokenizer(LunaTokenizer):
    """The vocabulary of the base, unchanged, with the calls of `LunaTokenizer`.

    Dialogues take the base's chat template if it has one: that is what the base was taught. `end_token` is
    then the token that closes an assistant's turn, and Luna's role tokens do not exist (their ids are None).
    A base without a template gets Luna's, spelled with role tokens that are added behind the vocabulary; its
    own end-of-text token ends a turn. Either way the content of messages never becomes a control token.

    Args:
        tokenizer: a fast tokenizer of transformers. config: as for `LunaTokenizer`; only the limits count.

    Attributes:
        added_tokens: id of each control token that was added just now -> words that say what it means.
        start_token_ids: what the base expects at the start of every text.

    Raises:
        TokenizerError: it is not a fast tokenizer of a kind whose tokens are bytes or letters, or has no end.
    """

    def __init__(self, tokenizer: Any, config: Any = None) -> None:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if not isinstance(backend, Tokenizer):
            raise TokenizerError(
                f"Não sei usar um {type(tokenizer).__name__}: preciso de um tokenizador rápido "
                "(tokenizer.json). Copie esse arquivo da origem para a pasta da base."
            )
        settings = storage.Settings.of(config)
        self.config = config
        self.max_length = settings.max_length
        self.truncation_strategy = settings.truncation_strategy
        self._foreign = tokenizer
        self.added_tokens: dict[int, str] = {}
        self.chat_template = json.dumps(tokenizer.chat_template) if tokenizer.chat_template else ""
        if not self.chat_template:
            for token, wording in WORDINGS.items():
                if backend.token_to_id(token) is None:
                    tokenizer.add_tokens([AddedToken(token, normalized=False)], special_tokens=True)
                    self.added_tokens[tokenizer.convert_tokens_to_ids(token)] = wording
        self._adopt(backend)

    @classmethod
    def from_pretrained(cls, path: str | Path, config: Any = None) -> BaseTokenizer:
        """Loads the tokenizer in a folder of transformers.

        Raises:
            TokenizerError: there is none, or it cannot be used.
            MissingDependencyError: transformers is not installed.
        """
        try:
            from transformers import AutoTokenizer
        except ModuleNotFoundError as error:
            raise missing_extra("transformers", "base", "ler o tokenizador de uma base") from error
        try:
            tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        except Exception as error:  # the library raises plain Exception for defects of the files
            raise TokenizerError(
                f'Não consegui ler o tokenizador em "{path}" ({str(error).splitlines()[0]}). Confira se a '
                "pasta tem tokenizer.json e tokenizer_config.json, e copie-os da origem se faltarem."
            ) from error
        return cls(tokenizer, config)

    def save_pretrained(self, path: str | Path) -> None:
        """Writes the files of transformers (tokenizer.json, tokenizer_config.json, chat_template.jinja)."""
        self._foreign.save_pretrained(str(path))

    def _adopt(self, backend: Tokenizer) -> None:
        self._parsing = backend
        content = Tokenizer.from_str(backend.to_str())
        content.encode_special_tokens = True  # their names are spelled like any other text
        content.no_truncation()
        content.no_padding()
        self._content = content
        self._stretches = None
        self._token_bytes = _token_bytes(backend)
        ids = storage.control_token_ids(backend)
        self._ids = ids
        self.special_tokens = list(ids)
        self.special_token_ids = frozenset(ids.values())
        names = sorted(ids, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, names))) if names else None
        for role in ("user", "assistant", "system", "thinking", "proactive"):
            token = getattr(self, f"{role}_token")
            setattr(self, f"{role}_token_id", None if self.chat_template else ids[token])
        self._template = ChatTemplate(self._foreign) if self.chat_template else None
        first = self._foreign("a").input_ids[:1]
        start = self._foreign.bos_token_id
        self.start_token_ids = (start,) if start is not None and first == [start] else ()
        end = self._end_of_turn() if self._template is not None else None
        end = self._foreign.eos_token_id if end is None else end
        if end is None:
            raise TokenizerError(
                "O tokenizador desta base não tem um token de fim (eos_token). Indique-o em "
                "tokenizer_config.json."
            )
        self.end_token_id = self.eos_token_id = end
        self.end_token = self.eos_token = backend.id_to_token(end) or ""
        pad = self._foreign.pad_token_id
        self.pad_token_id = end if pad is None else pad
        self.pad_token = backend.id_to_token(self.pad_token_id) or ""

    # -- text ----------------------------------------------------------------------------------------------

    def encode(self, text: str, add_special_tokens: bool = True, return_tensors: str | None = None) -> Any:
        """See `LunaTokenizer.encode`; with `add_special_tokens` the base's start token comes first."""
        if add_special_tokens:
            ids = [*self.start_token_ids, *self._parsing.encode(text, add_special_tokens=False).ids]
        else:
            ids = self.encode_content(text)
        return as_tensors(self._truncated(ids), return_tensors)

    def encode_batch_content(self, texts: Sequence[str]) -> list[list[int]]:
        """See `LunaTokenizer.encode_batch_content`."""
        return [
            encoding.ids for encoding in self._content.encode_batch(list(texts), add_special_tokens=False)
        ]

    # -- dialogues -----------------------------------------------------------------------------------------

    def format_dialog(self, messages: Iterable[Message], include_thinking: bool = False) -> str:
        """See `LunaTokenizer.format_dialog`."""
        if self._template is None:
            return super().format_dialog(messages, include_thinking)
        return self._template.render(messages, include_thinking)

    def encode_dialog(
        self, messages: Iterable[Message], include_thinking: bool = False, add_generation_prompt: bool = False
    ) -> list[int]:
        """See `LunaTokenizer.encode_dialog`."""
        if self._template is None:
            return super().encode_dialog(messages, include_thinking, add_generation_prompt)
        text, contents = self._template.render_with_contents(
            messages, include_thinking, add_generation_prompt
        )
        return self._encode_rendered(text, contents)[0]

    def encode_dialog_with_mask(
        self, messages: Iterable[Message], include_thinking: bool = True, learn_when_to_think: bool = False
    ) -> tuple[list[int], list[int]]:
        """See `LunaTokenizer.encode_dialog_with_mask`. With a template, learned is what an assistant says, up
        to the control token that closes the turn, and never when to think."""
        if self._template is None:
            ids, mask = super().encode_dialog_with_mask(messages, include_thinking, learn_when_to_think)
            return [*self.start_token_ids, *ids], [*[0] * len(self.start_token_ids), *mask]
        text, contents = self._template.render_with_contents(messages, include_thinking)
        ids, offsets = self._encode_rendered(text, contents)
        spans = [(span.start, self._closing(text, contents, i)) for i, span in self._learned(contents)]
        mask = [int(any(start < end and begin < stop for start, stop in spans)) for begin, end in offsets]
        return ids, mask

    def dialog_length(self, messages: Sequence[Message]) -> int:
        """See `LunaTokenizer.dialog_length`; with a template, an upper bound: parts of a dialogue cannot be
        rendered alone."""
        if self._template is None:
            return super().dialog_length(messages)
        texts = [message["content"] + (message.get("thinking") or "") for message in messages]
        contents = self.encode_batch_content(texts)
        return sum(map(len, contents)) + self._turn_tokens * len(messages)

    @cached_property
    def _turn_tokens(self) -> int:
        """More than a turn takes beside its content: a whole dialogue of one turn, with start and prompt."""
        return len(self.encode_dialog([{"role": "user", "content": "a"}], add_generation_prompt=True))

    def _encode_rendered(
        self, text: str, contents: Sequence[Content]
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """Ids of a rendered dialogue, and the characters that each stands for.

        The text is encoded as transformers does it, unless a message spells a control token: then the text is
        cut at the template's own control tokens, and what lies between is read as plain text.
        """
        if self._special is None or not any(
            self._special.search(text[span.start : span.end]) for span in contents
        ):
            encoding = self._parsing.encode(text, add_special_tokens=False)
            return encoding.ids, encoding.offsets
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []

        def plain(start: int, end: int) -> None:
            encoding = self._content.encode(text[start:end], add_special_tokens=False)
            ids.extend(encoding.ids)
            offsets.extend((start + begin, start + stop) for begin, stop in encoding.offsets)

        done = 0
        for match in self._special.finditer(text):
            if any(match.start() < span.end and span.start < match.end() for span in contents):
                continue
            plain(done, match.start())
            ids.append(self._ids[match.group()])
            offsets.append(match.span())
            done = match.end()
        plain(done, len(text))
        return ids, offsets

    def _learned(self, contents: Sequence[Content]) -> list[tuple[int, Content]]:
        return [(i, span) for i, span in enumerate(contents) if span.learned]

    def _closing(self, text: str, contents: Sequence[Content], number: int) -> int:
        """Where the turn of a message ends: behind the first control token after it."""
        limit = contents[number + 1].start if number + 1 < len(contents) else len(text)
        match = None if self._special is None else self._special.search(text, contents[number].end)
        return contents[number].end if match is None or match.end() > limit else match.end()

    def _end_of_turn(self) -> int | None:
        """The control token that closes an assistant's turn; None if the template has none."""
        assert self._template is not None
        exchange = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
        text, contents = self._template.render_with_contents(exchange)
        match = None if self._special is None else self._special.search(text, contents[-1].end)
        return None if match is None else self._ids[match.group()]


def _token_bytes(backend: Tokenizer) -> list[bytes]:
    """The bytes that each id stands for: of a byte-level vocabulary, or of one that writes spaces as "▁"."""
    state = json.loads(backend.to_str())
    if state["model"]["type"] not in ("BPE", "Unigram"):
        raise TokenizerError(
            f"O tokenizador desta base é do tipo {state['model']['type']}, que não guarda o texto como ele "
            "é. Use uma base com BPE ou Unigram, como as famílias Llama, Qwen, Gemma, Mistral e GPT-2."
        )
    if "ByteLevel" in json.dumps(state["decoder"]):
        return storage.token_bytes(backend)
    added = backend.get_added_tokens_decoder()
    vocabulary = backend.get_vocab(with_added_tokens=True)
    table = [b""] * (max(vocabulary.values(), default=-1) + 1)
    for token, index in vocabulary.items():
        byte = None if index in added else re.fullmatch(r"<0x([0-9A-F]{2})>", token)
        text = token if index in added else token.replace("▁", " ")
        table[index] = bytes([int(byte[1], 16)]) if byte else text.encode("utf-8")
    return table
