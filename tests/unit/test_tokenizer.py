"""LunaTokenizer: lossless, safe against forged control tokens, and the same after saving and loading."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import unicodedata
from functools import cache
from pathlib import Path

import numpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from lunagpt.config import LunaConfig
from lunagpt.errors import TokenizerError
from lunagpt.tokenizer import LLAMA_CPP_PRE, LunaTokenizer, storage, stretches
from lunagpt.tokenizer.pretokenization import PRE_TOKENIZER_PATTERN
from lunagpt.tokenizer.special_tokens import SPECIAL_TOKENS

SENTENCE = "À noite, João contou-nos que não queria ir à festa."

# Arbitrary text, with the characters that break tokenizers more often than chance would bring them.
AWKWARD = st.sampled_from(
    [
        *[
            "👩‍👩‍👧‍👦",
            "🏳️‍🌈",
            "🇧🇷",
            "👍🏽",
            "e\u0301",
            "\u0301",
            "\u0338",
            "ç\u0327",
            "\x00",
            "\x1b[0m",
            "\x85",
            "\u200b",
        ],
        *[
            "\ufeff",
            "\r\n",
            "\n\n  ",
            "\t\t",
            "   ",
            " ",
            "º",
            "ﬁ",
            "Å",
            "가",
            "'s",
            "'S",
            "<|end|>",
            "<|",
            "|>",
        ],
        *[
            "def f(x):\n    return x\n",
            "12345",
            "½",
            "٣",
            "\U0010ffff",
            "\ue000",
            "\U000f0000",
            "Ġ",
            "Ċ",
            "▁",
        ],
    ]
)
TEXTS = st.lists(AWKWARD | st.text(max_size=8), max_size=12).map("".join)


@cache
def shipped() -> LunaTokenizer:
    return LunaTokenizer.default()


@pytest.fixture
def tokenizer() -> LunaTokenizer:
    return shipped()


@settings(max_examples=400, deadline=None)
@given(TEXTS)
@example("ação <|user|> \u0338<|end|>\u0338")
@example("".join(map(chr, range(0x20, 0x300))))
def test_every_text_survives(text: str) -> None:
    tokenizer = shipped()
    composed = unicodedata.normalize("NFC", text)
    assert tokenizer.decode(tokenizer.encode(text)) == composed
    content = tokenizer.encode_content(text)
    assert tokenizer.decode(content) == composed
    assert tokenizer.decode(content, skip_special_tokens=True) == composed
    assert all(token_id >= len(SPECIAL_TOKENS) for token_id in content)
    assert content == tokenizer.encode(text, add_special_tokens=False), "remembered stretches differ"


def test_every_character_of_the_first_planes_survives(tokenizer: LunaTokenizer) -> None:
    for start in range(0, 0x20000, 0x800):
        if not 0xD800 <= start <= 0xDFFF:
            text = " ".join(map(chr, range(start, start + 0x800)))
            assert tokenizer.decode(tokenizer.encode_content(text)) == unicodedata.normalize("NFC", text)


def test_lone_surrogates_become_the_replacement_character(tokenizer: LunaTokenizer) -> None:
    assert tokenizer.decode(tokenizer.encode("a\ud800b\udfff")) == "a\ufffdb\ufffd"
    assert tokenizer.decode(tokenizer.encode_content("\ud83c\udf19")) == "🌙"
    assert tokenizer.encode_batch_content(["\udc00"]) == [tokenizer.encode_content("\ufffd")]


def test_specification_example(tmp_path: Path, tokenizer: LunaTokenizer) -> None:
    tokenizer.save_pretrained(tmp_path)
    config = {"tokenizer": {"vocab_path": f"{tmp_path}/vocab.json", "merges_path": f"{tmp_path}/merges.txt"}}
    loaded = LunaTokenizer(config)
    tokens = loaded.encode(f"{loaded.user_token} Olá {loaded.assistant_token} Oi!")
    assert loaded.user_token_id in tokens
    assert loaded.assistant_token_id in tokens
    decoded = loaded.decode(tokens)
    assert loaded.user_token in decoded
    assert loaded.assistant_token in decoded


def test_ids_of_control_tokens_and_bytes_are_fixed(tokenizer: LunaTokenizer) -> None:
    assert tokenizer.special_tokens == list(SPECIAL_TOKENS)
    named = ("pad", "end", "system", "user", "assistant", "thinking", "proactive")
    assert [getattr(tokenizer, f"{name}_token_id") for name in named] == list(range(7))
    assert tokenizer.eos_token_id == tokenizer.end_token_id
    assert b"".join(tokenizer.token_bytes(16 + byte) for byte in range(256)) == bytes(range(256))
    assert tokenizer.vocab_size == len(tokenizer) == 16_384


def test_control_tokens_are_parsed_only_on_request(tokenizer: LunaTokenizer) -> None:
    text = "".join(SPECIAL_TOKENS)
    assert tokenizer.encode(text) == list(range(len(SPECIAL_TOKENS)))
    assert min(tokenizer.encode(text, add_special_tokens=False)) >= len(SPECIAL_TOKENS)
    assert min(tokenizer.encode_content(text)) >= len(SPECIAL_TOKENS)
    assert tokenizer.decode(tokenizer.encode_content(text)) == text


def test_skip_special_tokens(tokenizer: LunaTokenizer) -> None:
    ids = tokenizer.encode("<|user|>Oi<|end|>")
    assert tokenizer.decode(ids) == "<|user|>Oi<|end|>"
    assert tokenizer.decode(ids, skip_special_tokens=True) == "Oi"


def test_batch_equals_one_by_one(tokenizer: LunaTokenizer) -> None:
    texts = [SENTENCE, "", "<|end|>", "Que horas são? 10h30."]
    assert tokenizer.encode_batch_content(texts) == [tokenizer.encode_content(text) for text in texts]


def test_the_memory_for_stretches_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "_CAPACITY", 20)
    tokenizer = LunaTokenizer.default()
    encoder = tokenizer._stretches
    assert encoder is not None
    texts = [f"um texto de número {number} e nada mais" for number in range(20)]
    for text in texts * 2:
        assert tokenizer.encode_content(text) == tokenizer.encode(text, add_special_tokens=False)
        assert sum(map(len, encoder._known)) <= 20 + len(text)


def test_other_word_borders_are_not_remembered() -> None:
    tokenizer = LunaTokenizer.default()
    backend = tokenizer.backend_tokenizer
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.backend_tokenizer = backend
    assert not stretches.StretchEncoder.suits(backend)
    assert tokenizer.encode_content(SENTENCE) == tokenizer.encode(SENTENCE)
    assert tokenizer.decode(tokenizer.encode_content(SENTENCE)) == SENTENCE


def test_incomplete_characters_decode_to_the_replacement_character(tokenizer: LunaTokenizer) -> None:
    ids = [16 + byte for byte in "é".encode()]
    assert tokenizer.decode(ids) == "é"
    assert tokenizer.decode(ids[:1]) == "\ufffd"
    assert tokenizer.decode([*ids[:1], *tokenizer.encode("a")]) == "\ufffda"


@pytest.mark.parametrize(("strategy", "part"), [("right", slice(None, 5)), ("left", slice(-5, None))])
def test_truncation(tokenizer: LunaTokenizer, strategy: str, part: slice) -> None:
    short = LunaTokenizer({"tokenizer": {"max_length": 5, "truncation_strategy": strategy}})
    whole = tokenizer.encode(SENTENCE)
    assert len(whole) > 5
    assert short.encode(SENTENCE) == whole[part]
    assert short.encode("Oi") == tokenizer.encode("Oi")
    assert short.encode_content(SENTENCE) == whole, "content is never cut"


def test_limit_without_configuration_and_with() -> None:
    long = "palavra " * 3000
    assert len(LunaTokenizer.default().encode(long)) > 3000
    assert len(LunaTokenizer({"tokenizer": {}}).encode(long)) == 1024
    assert len(LunaTokenizer(LunaConfig()).encode(long)) == LunaConfig().tokenizer.max_length


@pytest.mark.parametrize(
    "settings_",
    [{"max_length": 0}, {"max_length": "10"}, {"max_length": True}, {"truncation_strategy": "middle"}],
)
def test_meaningless_limits_are_refused(settings_: dict[str, object]) -> None:
    with pytest.raises(TokenizerError, match="deve ser"):
        LunaTokenizer({"tokenizer": settings_})


def test_return_tensors(tokenizer: LunaTokenizer) -> None:
    ids = tokenizer.encode(SENTENCE)
    array = tokenizer.encode(SENTENCE, return_tensors="np")
    assert array.dtype == numpy.int64
    assert array.tolist() == [ids]
    assert tokenizer.decode(array) == tokenizer.decode(array[0]) == SENTENCE
    with pytest.raises(TokenizerError, match='return_tensors="tf"'):
        tokenizer.encode(SENTENCE, return_tensors="tf")
    with pytest.raises(TokenizerError, match="cada vez"):
        tokenizer.decode([[1, 2], [3, 4]])


def test_torch_tensors(tokenizer: LunaTokenizer) -> None:
    torch = pytest.importorskip("torch")
    tensor = tokenizer.encode(SENTENCE, return_tensors="pt")
    assert tensor.shape == (1, len(tokenizer.encode(SENTENCE)))
    assert tensor.dtype == torch.int64
    assert tokenizer.decode(tensor) == SENTENCE
    assert tokenizer.decode(tensor[0, 0]) == tokenizer.decode([int(tensor[0, 0])])


def test_unknown_ids_are_refused(tokenizer: LunaTokenizer) -> None:
    for token_id in (-1, tokenizer.vocab_size):
        with pytest.raises(TokenizerError, match="não existe"):
            tokenizer.decode([token_id])


def test_saved_folder_loads_the_same_in_every_way(tmp_path: Path, tokenizer: LunaTokenizer) -> None:
    folder = tmp_path / "tokenizer"
    tokenizer.save_pretrained(folder)
    pair = tmp_path / "pair"
    pair.mkdir()
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(folder / name, pair / name)
    loaded = [
        LunaTokenizer.from_pretrained(folder),
        LunaTokenizer.from_pretrained(tmp_path),
        LunaTokenizer.from_pretrained(pair),
        LunaTokenizer({"tokenizer": {"tokenizer_path": str(folder / "tokenizer.json")}}),
        LunaTokenizer(LunaConfig.from_dict({"tokenizer": {"path": str(folder)}})),
    ]
    text = f"<|system|>Você é Luna.<|end|>{SENTENCE}\n\n\tfor i in range(10): print('ó')  <|user|>"
    for other in loaded:
        assert other.encode(text) == tokenizer.encode(text)
        assert other.special_tokens == tokenizer.special_tokens
        assert other.vocab_size == tokenizer.vocab_size
    again = tmp_path / "again"
    loaded[2].save_pretrained(again)
    for file in folder.iterdir():
        assert (again / file.name).read_bytes() == file.read_bytes()


def test_special_tokens_file_names_the_pre_tokenizer(tmp_path: Path, tokenizer: LunaTokenizer) -> None:
    tokenizer.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "special_tokens.json").read_text(encoding="utf-8"))
    assert saved["llama_cpp_pre"] == LLAMA_CPP_PRE
    assert saved["tokens"] == {token: index for index, token in enumerate(SPECIAL_TOKENS)}


def test_pattern_is_the_one_llama_cpp_calls_qwen2() -> None:
    # llama.cpp, src/llama-vocab.cpp, case LLAMA_VOCAB_PRE_TYPE_QWEN2: pieces joined as they stand there.
    contractions = (
        "(?:"
        + "|".join(
            "'" + "".join(f"[{letter}{letter.upper()}]" for letter in ending)
            for ending in ("s", "t", "re", "ve", "m", "ll", "d")
        )
        + ")"
    )
    words = [
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
    assert LLAMA_CPP_PRE == "qwen2"
    assert "|".join([contractions, *words]) == PRE_TOKENIZER_PATTERN


def test_small_vocabularies_are_completed(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text(json.dumps({"a": 0, "b": 1, "ab": 2}), encoding="utf-8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\n", encoding="utf-8")
    tokenizer = LunaTokenizer.from_pretrained(tmp_path)
    assert tokenizer.encode("ab") == [2]
    assert tokenizer.decode(tokenizer.encode(SENTENCE + "<|user|>🌙")) == SENTENCE + "<|user|>🌙"
    assert tokenizer.user_token_id in tokenizer.encode("<|user|>")
    assert tokenizer.user_token_id not in tokenizer.encode_content("<|user|>")
    assert tokenizer.vocab_size == 3 + 254 + 7


def _write_pair(folder: Path, vocab: str, merges: str) -> dict[str, dict[str, str]]:
    (folder / "vocab.json").write_text(vocab, encoding="utf-8")
    (folder / "merges.txt").write_text(merges, encoding="utf-8")
    return {
        "tokenizer": {"vocab_path": str(folder / "vocab.json"), "merges_path": str(folder / "merges.txt")}
    }


@pytest.mark.parametrize(
    ("vocab", "merges"),
    [
        ("{", "a b"),
        ("[1, 2]", "a b"),
        ('{"a": 0, "b": 5}', ""),
        ('{"a": 0, "b": 0}', ""),
        ('{"a": 0, "b": "x"}', ""),
        ('{"a": 0, "b": 1}', "a b\n"),
        ('{"a": 0, "b": 1}', "linha-sem-par\n"),
    ],
)
def test_broken_pairs_are_refused(tmp_path: Path, vocab: str, merges: str) -> None:
    with pytest.raises(TokenizerError, match=r"vocab\.json"):
        LunaTokenizer(_write_pair(tmp_path, vocab, merges))


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    vocab = str(tmp_path / "vocab.json")
    with pytest.raises(TokenizerError, match="não existe"):
        LunaTokenizer({"tokenizer": {"vocab_path": vocab, "merges_path": str(tmp_path / "merges.txt")}})
    with pytest.raises(TokenizerError, match="andam juntos"):
        LunaTokenizer({"tokenizer": {"vocab_path": vocab}})
    with pytest.raises(TokenizerError, match="não existe"):
        LunaTokenizer.from_pretrained(tmp_path / "nada")
    with pytest.raises(TokenizerError, match="não tem um tokenizador"):
        LunaTokenizer.from_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(TokenizerError, match=r"não é um tokenizer\.json válido"):
        LunaTokenizer.from_pretrained(tmp_path)
    Tokenizer(models.WordLevel({"a": 0}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(TokenizerError, match="WordLevel"):
        LunaTokenizer.from_pretrained(tmp_path)
    Tokenizer(models.BPE(vocab={"▁a": 0}, merges=[])).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(TokenizerError, match="faltam bytes"):
        LunaTokenizer.from_pretrained(tmp_path)


def test_foreign_vocabulary_is_wrapped_with_its_own_rules() -> None:
    vocab = {character: index for index, character in enumerate(storage.byte_alphabet())}
    foreign = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    foreign.normalizer = normalizers.Lowercase()
    foreign.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = LunaTokenizer.from_backend(foreign)
    assert tokenizer.decode(tokenizer.encode("OLÁ<|end|>")) == "olá<|end|>"
    assert tokenizer.decode(tokenizer.encode_content("OLÁ")) == "olá"


def test_importing_does_not_load_torch() -> None:
    code = (
        "import sys; from lunagpt.tokenizer import LunaTokenizer; LunaTokenizer.default().encode('Olá'); "
        "assert not {'torch', 'pyarrow', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
