"""Tokenizer files: finding, loading, completing and saving them.

A folder holds ``tokenizer.json`` (all of it, for the ``tokenizers`` and ``transformers`` libraries),
``vocab.json`` and ``merges.txt`` (the same vocabulary in GPT-2's two files) and ``special_tokens.json`` (ids
of the control tokens and the name under which llama.cpp knows the pre-tokenizer).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from tokenizers import AddedToken, Tokenizer, decoders, models

from lunagpt.errors import TokenizerError, reason_of
from lunagpt.files import atomic_write_text
from lunagpt.tokenizer.learning import byte_alphabet
from lunagpt.tokenizer.pretokenization import LLAMA_CPP_PRE, build_normalizer, build_pre_tokenizer
from lunagpt.tokenizer.special_tokens import ASSISTANT_TOKEN, END_TOKEN, NAMED_TOKENS, SPECIAL_TOKENS

#: Folder of the vocabulary that ships with the package.
SHIPPED_FOLDER = Path(__file__).resolve().parent.parent / "assets" / "tokenizer"

TOKENIZER_FILE = "tokenizer.json"
SPECIAL_TOKENS_FILE = "special_tokens.json"
VOCAB_FILE = "vocab.json"
MERGES_FILE = "merges.txt"

_DEFAULT_MAX_LENGTH = 1024
_RETRAIN = "Baixe os arquivos de novo ou treine outros com: luna tokenizer train DADOS --output PASTA."


@dataclass(frozen=True)
class Settings:
    """What the section ``tokenizer`` of a configuration says."""

    path: Path | None = None
    vocab_path: Path | None = None
    merges_path: Path | None = None
    max_length: int | None = None
    truncation_strategy: Literal["right", "left"] = "right"

    @classmethod
    def of(cls, config: Any) -> Settings:
        """Reads a ``LunaConfig``, a mapping with or without the section, or ``None`` (nothing set, no limit).

        Raises:
            TokenizerError: a limit without meaning.
        """
        if config is None:
            return cls()
        section = config.get("tokenizer", config) if isinstance(config, dict) else config.tokenizer
        max_length = section.get("max_length", _DEFAULT_MAX_LENGTH)
        if max_length is not None and (
            isinstance(max_length, bool) or not isinstance(max_length, int) or max_length < 1
        ):
            raise TokenizerError(
                f"tokenizer.max_length deve ser um inteiro maior que zero, mas é {max_length!r}."
            )
        strategy = section.get("truncation_strategy", "right")
        if strategy not in ("right", "left"):
            raise TokenizerError(
                f'tokenizer.truncation_strategy deve ser "right" (corta o fim) ou "left" (corta o começo), '
                f"mas é {strategy!r}."
            )
        return cls(
            path=_path(section.get("tokenizer_path", None) or section.get("path", None)),
            vocab_path=_path(section.get("vocab_path", None)),
            merges_path=_path(section.get("merges_path", None)),
            max_length=max_length,
            truncation_strategy=strategy,
        )

    def limits(self) -> dict[str, Any]:
        """The settings that do not say where the files are."""
        return {"max_length": self.max_length, "truncation_strategy": self.truncation_strategy}

    def load(self) -> Tokenizer:
        """Loads what the settings name, or the shipped vocabulary.

        Raises:
            TokenizerError: files missing, unreadable or incomplete.
        """
        if self.path is not None:
            return load_folder(self.path) if self.path.is_dir() else load_file(self.path)
        if self.vocab_path is not None or self.merges_path is not None:
            if self.vocab_path is None or self.merges_path is None:
                raise TokenizerError(
                    "vocab_path e merges_path andam juntos na seção tokenizer: informe os dois, ou nenhum "
                    "para usar o vocabulário que vem com o LunaGPT."
                )
            return load_pair(self.vocab_path, self.merges_path)
        return load_folder(SHIPPED_FOLDER)


def load_folder(folder: Path) -> Tokenizer:
    """Loads ``tokenizer.json``, or ``vocab.json`` with ``merges.txt``, from a folder or its ``tokenizer/``.

    Raises:
        TokenizerError: no such folder, or no tokenizer in it.
    """
    for place in (folder, folder / "tokenizer"):
        if (place / TOKENIZER_FILE).is_file():
            return load_file(place / TOKENIZER_FILE)
        if (place / VOCAB_FILE).is_file() and (place / MERGES_FILE).is_file():
            return load_pair(place / VOCAB_FILE, place / MERGES_FILE)
    problem = "não tem um tokenizador" if folder.is_dir() else "não existe"
    raise TokenizerError(
        f'A pasta "{folder}" {problem}: procurei {TOKENIZER_FILE}, ou {VOCAB_FILE} com {MERGES_FILE}. '
        f"{_RETRAIN}"
    )


def load_file(path: Path) -> Tokenizer:
    """Loads a ``tokenizer.json`` as it is.

    Raises:
        TokenizerError: missing or broken file, or a model other than BPE.
    """
    text = _read(path)
    try:
        kind = json.loads(text)["model"]["type"]
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # the library raises plain Exception for every defect of the file
        raise TokenizerError(
            f'O arquivo "{path}" não é um tokenizer.json válido ({reason_of(error)}). {_RETRAIN}'
        ) from error
    if kind != "BPE":
        raise TokenizerError(
            f'O arquivo "{path}" guarda um tokenizador {kind}; o LunaGPT trabalha com BPE de bytes.'
        )
    return tokenizer


def load_pair(vocab_path: Path, merges_path: Path) -> Tokenizer:
    """Builds a tokenizer from ``vocab.json`` and ``merges.txt`` with Luna's normalisation and word borders.

    Raises:
        TokenizerError: missing or broken files, or merges that do not fit the vocabulary.
    """
    _read(merges_path)
    try:
        vocab = json.loads(_read(vocab_path))
        if not isinstance(vocab, dict) or not all(isinstance(index, int) for index in vocab.values()):
            raise ValueError("não é um objeto que leva de token a número")
        if sorted(vocab.values()) != list(range(len(vocab))):
            raise ValueError("os números não vão de 0 até o fim sem falhas nem repetições")
        _, merges = models.BPE.read_file(str(vocab_path), str(merges_path))
        return build_tokenizer(vocab, merges)
    except TokenizerError:
        raise
    except Exception as error:  # the library raises plain Exception for every defect of the files
        raise TokenizerError(
            f'Não consegui ler "{vocab_path}" com "{merges_path}" ({reason_of(error)}). {_RETRAIN}'
        ) from error


def build_tokenizer(vocab: dict[str, int], merges: list[tuple[str, str]]) -> Tokenizer:
    """A byte-level BPE with Luna's normalisation, word borders and control tokens.

    Bytes that ``vocab`` lacks get ids behind its last one, so that every text can be spelled.
    """
    vocab = dict(vocab)
    for character in byte_alphabet():
        vocab.setdefault(character, len(vocab))
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.normalizer = build_normalizer()
    tokenizer.pre_tokenizer = build_pre_tokenizer()
    tokenizer.decoder = decoders.ByteLevel()
    present = SPECIAL_TOKENS if all(token in vocab for token in SPECIAL_TOKENS) else NAMED_TOKENS
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in present])
    return tokenizer


def completed(tokenizer: Tokenizer) -> Tokenizer:
    """``tokenizer`` with every named control token; those it lacks get ids behind its last one.

    Raises:
        TokenizerError: the vocabulary lacks bytes, and so could not spell every text.
    """
    vocab = tokenizer.get_vocab()
    if not all(character in vocab for character in byte_alphabet()):
        raise TokenizerError(
            "Este tokenizador não é um BPE de bytes: faltam bytes no vocabulário, e textos se perderiam. "
            "Use um tokenizador treinado com: luna tokenizer train."
        )
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special}
    missing = [token for token in NAMED_TOKENS if token not in special]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in missing])
    return tokenizer


def control_token_ids(tokenizer: Tokenizer) -> dict[str, int]:
    """Name → id of all control tokens, in the order of their ids."""
    added = tokenizer.get_added_tokens_decoder()
    return {added[index].content: index for index in sorted(added) if added[index].special}


def without_control_tokens(tokenizer: Tokenizer) -> Tokenizer:
    """A copy that knows no control token and so spells their names like any other text.

    Canonical composition is taken out where it is the whole normalisation: the caller has done it already.
    """
    state = json.loads(tokenizer.to_str())
    control = set(control_token_ids(tokenizer))
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] not in control]
    state["model"]["vocab"] = {
        token: index for token, index in state["model"]["vocab"].items() if token not in control
    }
    if (state["normalizer"] or {}).get("type") == "NFC":
        state["normalizer"] = None
    state["post_processor"] = None
    return Tokenizer.from_str(json.dumps(state))


def token_bytes(tokenizer: Tokenizer) -> list[bytes]:
    """The bytes that each id stands for, index is the id; names of added tokens as they are, in UTF-8."""
    values = {character: byte for byte, character in enumerate(byte_alphabet())}
    added = tokenizer.get_added_tokens_decoder()
    table = [b""] * (max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1)
    for token, index in tokenizer.get_vocab(with_added_tokens=True).items():
        spelled = index not in added and all(character in values for character in token)
        table[index] = bytes(values[character] for character in token) if spelled else token.encode("utf-8")
    return table


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Writes the four files into ``folder``, each in one step."""
    state = json.loads(tokenizer.to_str())
    vocab = tokenizer.get_vocab(with_added_tokens=True)
    merges = [" ".join(merge) if isinstance(merge, list) else merge for merge in state["model"]["merges"]]
    special = {
        "llama_cpp_pre": LLAMA_CPP_PRE,
        "tokens": control_token_ids(tokenizer),
        "turn": "{role token}{content}" + END_TOKEN,
        "generation_prompt": ASSISTANT_TOKEN,
    }
    atomic_write_text(folder / TOKENIZER_FILE, tokenizer.to_str() + "\n")
    ordered = dict(sorted(vocab.items(), key=lambda item: item[1]))
    atomic_write_text(folder / VOCAB_FILE, json.dumps(ordered, ensure_ascii=False) + "\n")
    atomic_write_text(folder / MERGES_FILE, "\n".join(["#version: 0.2", *merges]) + "\n")
    atomic_write_text(folder / SPECIAL_TOKENS_FILE, json.dumps(special, ensure_ascii=False, indent=2) + "\n")


def _path(value: Any) -> Path | None:
    return None if value is None else Path(cast("str", value)).expanduser()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TokenizerError(
            f'O arquivo de tokenizador "{path}" não existe. Confira o caminho. {_RETRAIN}'
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise TokenizerError(
            f'Não consegui ler o arquivo de tokenizador "{path}": {reason_of(error)}. {_RETRAIN}'
        ) from error
