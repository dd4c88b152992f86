"""Mending tokenizers that were made for other languages: :class:`PortugueseTokenizerFixer`."""

from __future__ import annotations

import json
from typing import Any

from tokenizers import Regex, Tokenizer, pre_tokenizers

from lunagpt.errors import TokenizerError
from lunagpt.tokenizer.luna_tokenizer import LunaTokenizer
from lunagpt.tokenizer.morphology import CONTRACTIONS

# Every pattern takes along the space (or SentencePiece's mark for it) that leads its word.
_WORD_START = r"(?i)[ ▁]?(?<!\p{L})"

#: Elided preposition, article or possessive with its apostrophe: *d'água*, *n'alma*, *minh'avó*, *Sant'Ana*.
ELISION_PATTERN = (
    _WORD_START + r"(?:d|n|l|m|t|s|pel|pr|minh|tu|su|noss|voss|sant|c|est|ess|aquel)['’](?=\p{L})"
)

#: Contraction of preposition and determiner, cut behind the preposition: *d|aquele*, *n|esta*, *pel|os*.
FUSION_PATTERN = (
    _WORD_START
    + "(?:"
    + "|".join(
        sorted(f"{form[:border]}(?={form[border:]}(?!\\p{{L}}))" for form, border in CONTRACTIONS.items())
    )
    + ")"
)

_PRONOUNS = "me te se lhes? nos vos l[oa]s? n[oa]s? [oa]s? m[oa]s? t[oa]s? lh[oa]s?"
_MESOCLITIC_ENDINGS = "ei ás á emos eis ão ias? íamos íeis iam"

#: Pronoun behind a verb, and the ending behind a pronoun inside a verb: *contou|-nos*, *dar|-lhe|-ei*.
CLITIC_PATTERN = (
    r"(?i)(?<=\p{L})-(?:" + "|".join(f"{_PRONOUNS} {_MESOCLITIC_ENDINGS}".split()) + r")(?!\p{L})"
)

_SAMPLES = (
    "À noite, João contou-nos que não queria ir à festa.",
    "Dar-lhe-ei um copo d'água daquela fonte; vendê-lo-íamos n'aldeia.\n\n  Ação e reação: 1º, 2ª, coração.",
)

#: Normalisers that change letters a Portuguese reader tells apart.
_LOSSY = frozenset({"StripAccents", "Lowercase", "NFKC", "NFKD", "NFD", "Nmt", "Precompiled"})


class PortugueseTokenizerFixer:
    """Gives a tokenizer the borders and the letters of Portuguese, in place.

    Each rule changes only what precedes the vocabulary: normalisation and word borders. A vocabulary that
    never learned *ção* still spells it in pieces, but the text survives. Rules can be applied in any order
    and more than once.

    Args:
        tokenizer: a :class:`~lunagpt.tokenizer.LunaTokenizer`, a ``tokenizers.Tokenizer``, or any object that
            keeps one as ``backend_tokenizer`` (the fast tokenizers of ``transformers``).

    Raises:
        TokenizerError: the object holds no such tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        backend = (
            tokenizer if isinstance(tokenizer, Tokenizer) else getattr(tokenizer, "backend_tokenizer", None)
        )
        if not isinstance(backend, Tokenizer):
            raise TokenizerError(
                f"Não sei corrigir um {type(tokenizer).__name__}: preciso de um LunaTokenizer, de um "
                "tokenizers.Tokenizer ou de um tokenizador rápido do transformers."
            )
        self.tokenizer = tokenizer
        self._backend = backend

    def add_contraction_rules(self, split_fused: bool = False) -> PortugueseTokenizerFixer:
        """Puts a word border behind elisions, so that *água* in *d'água* is the word it is elsewhere.

        Args:
            split_fused: whether fused contractions are cut too (*d|aquele*, *n|esta*). It shows the morphemes
                and costs a token each.

        Raises:
            TokenizerError: the tokenizer cannot take borders without losing text.
        """
        self._add_border(ELISION_PATTERN)
        if split_fused:
            self._add_border(FUSION_PATTERN)
        return self

    def add_clitic_rules(self) -> PortugueseTokenizerFixer:
        """Makes each clitic with its hyphen a word: *contou|-nos*, *dar|-lhe|-ei*.

        Raises:
            TokenizerError: the tokenizer cannot take borders without losing text.
        """
        self._add_border(CLITIC_PATTERN)
        return self

    def preserve_accentuation(self) -> PortugueseTokenizerFixer:
        """Replaces normalisation that strips accents, folds case or turns 1º into 1o by composition (NFC)."""
        steps = _steps(json.loads(self._backend.to_str())["normalizer"], "normalizers")
        kept = [_without_loss(step) for step in steps if step["type"] not in _LOSSY | {"NFC"}]
        self._change(normalizer=_sequence("normalizers", [{"type": "NFC"}, *kept]))
        return self

    def _add_border(self, pattern: str) -> None:
        """Adds a border before the other word borders or, where those need the whole text, behind them."""
        split = json.loads(pre_tokenizers.Split(Regex(pattern), behavior="isolated").__getstate__())
        present = json.loads(self._backend.to_str())["pre_tokenizer"]
        steps = _steps(present, "pretokenizers")
        if split in steps:
            return
        words, texts = self._words(), self._decoded()
        for order in ([split, *steps], [*steps, split]):
            self._change(pre_tokenizer=_sequence("pretokenizers", order))
            # Behind the other borders the rule may find nothing it can read; then it would only pretend.
            if self._same_texts(texts) and (order[0] == split or self._words() != words):
                return
        self._change(pre_tokenizer=present)
        raise TokenizerError(
            "Este tokenizador não aceita novas fronteiras de palavra sem perder texto; ele ficou como estava."
        )

    def _words(self) -> list[list[str]]:
        cut = self._backend.pre_tokenizer
        return [[word for word, _ in cut.pre_tokenize_str(text)] if cut else [text] for text in _SAMPLES]

    def _decoded(self) -> list[str]:
        return [self._backend.decode(self._backend.encode(text).ids) for text in _SAMPLES]

    def _same_texts(self, before: list[str]) -> bool:
        """Whether texts still decode as ``before``; without a decoder, spaces in the result mean nothing."""
        now = self._decoded()
        if self._backend.decoder is None:
            return ["".join(text.split()) for text in now] == ["".join(text.split()) for text in before]
        return now == before

    def _change(self, **parts: Any) -> None:
        """Puts new parts, given in their stored form, into the same object."""
        changed = Tokenizer.from_str(json.dumps({**json.loads(self._backend.to_str()), **parts}))
        for name in parts:
            setattr(self._backend, name, getattr(changed, name))
        if isinstance(self.tokenizer, LunaTokenizer):
            self.tokenizer.backend_tokenizer = self._backend


def _without_loss(step: dict[str, Any]) -> dict[str, Any]:
    if step["type"] == "BertNormalizer":
        return {**step, "strip_accents": False, "lowercase": False}
    return step


def _steps(part: dict[str, Any] | None, key: str) -> list[dict[str, Any]]:
    """The parts of a sequence; one part or none as a list."""
    if part is None:
        return []
    return list(part[key]) if part["type"] == "Sequence" else [part]


def _sequence(key: str, steps: list[dict[str, Any]]) -> dict[str, Any] | None:
    if len(steps) < 2:
        return steps[0] if steps else None
    return {"type": "Sequence", key: steps}
