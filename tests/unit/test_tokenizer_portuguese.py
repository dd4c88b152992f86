"""Mending foreign tokenizers: the rules change borders and letters, and lose no text."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from lunagpt.errors import TokenizerError
from lunagpt.tokenizer import LunaTokenizer, PortugueseTokenizerFixer
from lunagpt.tokenizer.learning import byte_alphabet
from lunagpt.tokenizer.morphology import MorphemeSegmenter

TEXT = (
    "Dar-lhe-ei um copo d'água daquela fonte; vendê-lo-íamos. "
    "Contou-nos na 1ª vez: 'Segunda-feira, pé-de-moleque'."
)


def byte_level(**settings: Any) -> Tokenizer:
    vocab = {character: index for index, character in enumerate(byte_alphabet())}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(**settings)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def spaces_only() -> Tokenizer:
    """A tokenizer whose words are what stands between spaces, as in many SentencePiece models."""
    tokenizer = byte_level(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(" ", "merged_with_next"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    return tokenizer


def words(tokenizer: Tokenizer, text: str = TEXT) -> list[str]:
    """Where the pre-tokenizer cuts, in characters of the text."""
    return [text[start:end] for _, (start, end) in tokenizer.pre_tokenizer.pre_tokenize_str(text)]


def test_clitics_become_words() -> None:
    tokenizer = spaces_only()
    assert words(tokenizer)[0] == "Dar-lhe-ei"
    PortugueseTokenizerFixer(tokenizer).add_clitic_rules()
    cut = words(tokenizer)
    assert cut[:3] == ["Dar", "-lhe", "-ei"]
    for whole in (" vendê", "-lo", "-íamos", " Contou", "-nos", " 'Segunda-feira,", " pé-de-moleque'."):
        assert whole in cut
    assert tokenizer.decode(tokenizer.encode(TEXT).ids) == TEXT


def test_elisions_end_a_word() -> None:
    tokenizer = spaces_only()
    PortugueseTokenizerFixer(tokenizer).add_contraction_rules()
    cut = words(tokenizer)
    assert cut[cut.index(" d'") + 1] == "água"
    assert " daquela" in cut
    assert tokenizer.decode(tokenizer.encode(TEXT).ids) == TEXT


def test_fused_contractions_are_cut_on_request() -> None:
    tokenizer = spaces_only()
    PortugueseTokenizerFixer(tokenizer).add_contraction_rules(split_fused=True)
    cut = words(tokenizer)
    assert cut[cut.index(" d") + 1] == "aquela"
    assert " na" in cut
    assert words(tokenizer, "Nestes estes, destaque: pelos.") == [
        "N",
        "estes",
        " estes,",
        " destaque:",
        " pel",
        "os.",
    ]


def test_rules_on_luna_change_the_ids_and_both_readings() -> None:
    tokenizer = LunaTokenizer.default()
    before = tokenizer.encode_content("um copo d'água")
    PortugueseTokenizerFixer(tokenizer).add_contraction_rules().add_clitic_rules().preserve_accentuation()
    after = tokenizer.encode_content("um copo d'água")
    water = tokenizer.encode_content("água")
    assert before[-len(water) :] != water
    assert after[-len(water) :] == water
    assert tokenizer.encode("um copo d'água") == after
    assert tokenizer.decode(tokenizer.encode(TEXT)) == TEXT
    assert tokenizer.user_token_id not in tokenizer.encode_content("<|user|>")


def test_rules_apply_once() -> None:
    tokenizer = spaces_only()
    fixer = PortugueseTokenizerFixer(tokenizer).add_clitic_rules().preserve_accentuation()
    once = tokenizer.to_str()
    fixer.add_clitic_rules().preserve_accentuation()
    assert tokenizer.to_str() == once


@pytest.mark.parametrize(
    "lossy",
    [
        normalizers.NFKC(),
        normalizers.Lowercase(),
        normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]),
        normalizers.BertNormalizer(strip_accents=True, lowercase=True),
    ],
)
def test_accents_case_and_ordinals_survive(lossy: normalizers.Normalizer) -> None:
    tokenizer = byte_level(add_prefix_space=False)
    tokenizer.normalizer = lossy
    assert tokenizer.decode(tokenizer.encode(TEXT).ids) != TEXT
    PortugueseTokenizerFixer(tokenizer).preserve_accentuation()
    assert tokenizer.decode(tokenizer.encode(TEXT).ids) == TEXT
    assert tokenizer.decode(tokenizer.encode("a\u0301").ids) == "á"


def test_other_normalisation_stays() -> None:
    tokenizer = byte_level(add_prefix_space=False)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Replace("—", "-"), normalizers.Lowercase()])
    PortugueseTokenizerFixer(tokenizer).preserve_accentuation()
    assert tokenizer.decode(tokenizer.encode("Olá — É").ids) == "Olá - É"


def test_a_tokenizer_that_would_lose_text_stays_as_it_was() -> None:
    tokenizer = byte_level(add_prefix_space=True)
    before = tokenizer.to_str()
    with pytest.raises(TokenizerError, match="ficou como estava"):
        PortugueseTokenizerFixer(tokenizer).add_clitic_rules()
    assert tokenizer.to_str() == before


def test_metaspace_takes_the_rules() -> None:
    tokenizer = Tokenizer(models.BPE(vocab={"<unk>": 0}, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    PortugueseTokenizerFixer(tokenizer).add_clitic_rules()
    PortugueseTokenizerFixer(tokenizer).add_contraction_rules()
    pieces = [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str("Ela contou-nos d’água")]
    assert pieces == ["▁Ela", "▁contou", "-nos", "▁d’", "água"]


def test_fast_tokenizers_of_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    backend = spaces_only()
    backend.normalizer = normalizers.Lowercase()
    foreign = transformers.PreTrainedTokenizerFast(tokenizer_object=backend)
    PortugueseTokenizerFixer(foreign).add_clitic_rules().preserve_accentuation()
    assert words(foreign.backend_tokenizer)[:3] == ["Dar", "-lhe", "-ei"]
    assert foreign.decode(foreign(TEXT)["input_ids"], clean_up_tokenization_spaces=False) == TEXT


def test_other_objects_are_refused() -> None:
    with pytest.raises(TokenizerError, match="SimpleNamespace"):
        PortugueseTokenizerFixer(SimpleNamespace(backend_tokenizer=None))


def test_specification_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The snippet under "Incompatibilidade de Tokenização", with a tokenizer that does lose text."""
    lossy = byte_level(add_prefix_space=False)
    lossy.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents()])
    tokenizer = LunaTokenizer.from_backend(lossy)
    sample_text = "À noite, João contou-nos que não queria ir à festa."
    assert tokenizer.decode(tokenizer.encode(sample_text)) != sample_text
    fixer = PortugueseTokenizerFixer(tokenizer)
    fixer.add_contraction_rules()
    fixer.add_clitic_rules()
    fixer.preserve_accentuation()
    assert tokenizer.decode(tokenizer.encode(sample_text)) == sample_text
    tokenizer.save_pretrained(tmp_path / "tokenizer-enhanced")
    loaded = LunaTokenizer.from_pretrained(tmp_path / "tokenizer-enhanced")
    assert loaded.encode(sample_text) == tokenizer.encode(sample_text)


WORDS = """
cantar cantou cantava cantando canta casa casas feliz infeliz fazer desfazer educar educou educação
informar quando quanto ano anos rápida flor flores
"""
LEXICON = {**dict.fromkeys(WORDS.split(), 100), "formar": 40}


@pytest.mark.parametrize(
    ("word", "pieces"),
    [
        ("cantando", "cant|ando"),
        ("CANTAVA", "CANT|AVA"),
        ("educação", "educ|ação"),
        ("infelizmente", "infeliz|mente"),
        ("infeliz", "in|feliz"),
        ("desfazer", "des|fazer"),
        ("informar", "informar"),
        ("quando", "quando"),
        ("casas", "casa|s"),
        ("flores", "flor|es"),
        ("daquele", "d|aquele"),
        ("pelos", "pel|os"),
        ("mas", "mas"),
        ("", ""),
    ],
)
def test_morpheme_borders(word: str, pieces: str) -> None:
    assert "|".join(MorphemeSegmenter(LEXICON).split(word)) == pieces
