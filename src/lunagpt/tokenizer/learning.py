"""From word counts to an ordered list of merges: byte-pair encoding in two stages.

Stage one sees words cut at their morpheme borders and therefore can only learn pieces that respect them.
Stage two sees whole words, already written in stage-one pieces, and goes on merging: frequent words become
single tokens again, so that fertility is not paid for the borders. The ``tokenizers`` trainer cannot continue
from given merges; stage two therefore spells every stage-one token as one private-use character, trains on
those, and spells the result back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

Merge = tuple[str, str]

#: Words are repeated in proportion to their counts, this many in all: enough for a count of one in ten
#: million to show.
SAMPLED_WORDS = 12_000_000

_PRIVATE_USE = 0xF0000
_BATCH_CHARACTERS = 1 << 20


def byte_alphabet() -> list[str]:
    """The printable character that stands for each byte, GPT-2's table: 256 entries, index is byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    shifted = iter(range(0x100, 0x200))
    return [chr(byte) if byte in printable else chr(next(shifted)) for byte in range(256)]


_BYTE_TO_CHARACTER = byte_alphabet()


def to_byte_characters(text: str) -> str:
    """``text`` as UTF-8, one printable character for each byte."""
    return "".join(_BYTE_TO_CHARACTER[byte] for byte in text.encode("utf-8"))


def sampled_counts(counts: Mapping[str, float], total: int = SAMPLED_WORDS) -> dict[str, int]:
    """Counts scaled to sum to about ``total`` (never scaled up), rounded, zeros dropped, in a fixed order."""
    mass = sum(counts.values())
    scale = min(1.0, total / mass) if mass else 1.0
    scaled = ((word, round(counts[word] * scale)) for word in sorted(counts))
    return {word: count for word, count in scaled if count > 0}


def learn_merges(
    counts: Mapping[str, int],
    num_merges: int,
    *,
    split: Callable[[str], list[str]] | None = None,
    morpheme_share: float = 0.5,
) -> list[Merge]:
    """Learns ``num_merges`` merges that yield as many new, distinct tokens.

    Args:
        counts: occurrences of each word, in plain characters.
        num_merges: tokens wanted beyond the 256 bytes; fewer come back when the text has no more pairs.
        split: cuts a word at its morpheme borders; ``None`` learns plain byte-pair encoding in one stage.
        morpheme_share: part of the merges that stage one learns, 0 to 1.

    Returns:
        Pairs of byte-level tokens, the first applied first.
    """
    spelled = {word: to_byte_characters(word) for word in counts}
    first: list[Merge] = []
    if split is not None:
        pieces: dict[str, int] = {}
        for word, count in counts.items():
            for piece in split(word):
                key = to_byte_characters(piece)
                pieces[key] = pieces.get(key, 0) + count
        first = _train(pieces, byte_alphabet(), int(num_merges * morpheme_share))
    whole: dict[str, int] = {}
    for word, count in counts.items():
        whole[spelled[word]] = whole.get(spelled[word], 0) + count
    return _continue(whole, first, num_merges)


def _continue(words: Mapping[str, int], first: list[Merge], num_merges: int) -> list[Merge]:
    """Goes on from the merges ``first`` on uncut ``words`` until ``num_merges`` tokens exist."""
    tokens = _tokens(first)
    vocabulary = {token: index for index, token in enumerate(tokens)}
    encoder = Tokenizer(models.BPE(vocab=vocabulary, merges=first))
    private = {chr(_PRIVATE_USE + index): token for index, token in enumerate(tokens)}
    spelled: dict[str, int] = {}
    ordered = list(words)
    for word, encoding in zip(ordered, encoder.encode_batch(ordered), strict=True):
        key = "".join(chr(_PRIVATE_USE + index) for index in encoding.ids)
        spelled[key] = spelled.get(key, 0) + words[word]

    def plain(symbols: str) -> str:
        return "".join(private[symbol] for symbol in symbols)

    # Two private spellings may stand for one token, so a few merges more than missing are asked for.
    missing = num_merges + len(_BYTE_TO_CHARACTER) - len(tokens)
    merges = list(first)
    known = set(tokens)
    seen = set(first)
    for left, right in _train(spelled, list(private), missing + missing // 8 + 64):
        if missing <= 0:
            break
        merge = (plain(left), plain(right))
        if merge in seen:
            continue
        seen.add(merge)
        merges.append(merge)
        if merge[0] + merge[1] not in known:
            known.add(merge[0] + merge[1])
            missing -= 1
    return merges


def _tokens(merges: Iterable[Merge]) -> list[str]:
    """The vocabulary that ``merges`` span: the bytes in order, then the products as they appear."""
    return list(dict.fromkeys([*_BYTE_TO_CHARACTER, *(left + right for left, right in merges)]))


def vocabulary_of(merges: Iterable[Merge], offset: int = 0) -> dict[str, int]:
    """Token → id for the 256 bytes and all products of ``merges``, numbered from ``offset``."""
    return {token: offset + index for index, token in enumerate(_tokens(merges))}


def _train(counts: Mapping[str, int], alphabet: list[str], num_merges: int) -> list[Merge]:
    """Plain byte-pair encoding over words spelled in ``alphabet``."""
    if num_merges <= 0 or not counts:
        return []
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=len(alphabet) + num_merges,
        min_frequency=2,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(_repeated(counts), trainer=trainer)
    return _merges_of(tokenizer)


def _repeated(counts: Mapping[str, int]) -> Iterator[str]:
    """Each word as often as it counts, in lines short enough to be spread over the cores."""
    for word, count in counts.items():
        step = max(1, _BATCH_CHARACTERS // (len(word) + 1))
        for start in range(0, count, step):
            yield (word + " ") * min(step, count - start)


def _merges_of(tokenizer: Tokenizer) -> list[Merge]:
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in merges]
