"""Training a vocabulary: text → word counts → merges → tokenizer folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from lunagpt.errors import DataError, TokenizerError, reason_of
from lunagpt.files import atomic_write_text
from lunagpt.tokenizer import storage
from lunagpt.tokenizer.corpus import Document, PassageFilter, find_files, read_documents, read_text
from lunagpt.tokenizer.learning import learn_merges, sampled_counts, vocabulary_of
from lunagpt.tokenizer.luna_tokenizer import LunaTokenizer
from lunagpt.tokenizer.morphology import MorphemeSegmenter
from lunagpt.tokenizer.pretokenization import LLAMA_CPP_PRE, WordCounter
from lunagpt.tokenizer.special_tokens import NUM_SPECIAL_TOKENS, SPECIAL_TOKENS

#: Ids before the first merge: control tokens and the 256 bytes.
SMALLEST_VOCABULARY = NUM_SPECIAL_TOKENS + 256

#: A word belongs to the lexicon of the morphology when it is at least this part of all words, and occurs
#: twice.
_ATTESTED = 2.4e-7

#: Called with a stage (``"ler"``, ``"aprender"``, ``"gravar"``) and the part of it that is done, 0 to 1.
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Recipe:
    """How the text is weighed and the merges are learned.

    Attributes:
        shares: group → part of the training bytes it shall have; groups that are not named are left out.
            Empty: every group weighs what it has.
        morpheme_share: part of the merges learned within morpheme borders; 0 gives plain byte-pair encoding.
    """

    shares: Mapping[str, float] = field(default_factory=dict)
    morpheme_share: float = 0.7

    @classmethod
    def from_file(cls, path: str | Path) -> Recipe:
        """Reads ``{"shares": {...}, "morpheme_share": 0.7}``; other keys are remarks.

        Raises:
            DataError: the file is missing, broken, or a value has no meaning.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            shares = {str(group): float(share) for group, share in data.get("shares", {}).items()}
            recipe = cls(shares, float(data.get("morpheme_share", cls.morpheme_share)))
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise DataError(
                f'Não consegui ler a receita "{path}": {reason_of(error)}. Confira o arquivo.'
            ) from error
        if not 0 <= recipe.morpheme_share <= 1 or any(share < 0 for share in shares.values()):
            raise DataError(f'A receita "{path}" tem uma fração fora de 0 a 1.')
        return recipe


@dataclass
class TrainingReport:
    """What a training read and made.

    Attributes:
        documents: texts that were counted.
        held_out_documents: texts dropped for a passage of the held-out files.
        bytes_by_group: UTF-8 bytes of the counted texts.
        vocab_size: ids of the vocabulary; 0 before it is learned.
    """

    documents: int = 0
    held_out_documents: int = 0
    bytes_by_group: dict[str, int] = field(default_factory=dict)
    vocab_size: int = 0


class WordTable:
    """Word counts of a corpus, apart for each group: read once, good for vocabularies of several sizes."""

    def __init__(self, documents: Iterable[Document], held_out: PassageFilter | None = None) -> None:
        self.report = TrainingReport()
        counters: dict[str, WordCounter] = {}
        sizes = self.report.bytes_by_group
        for text, group in documents:
            if held_out is not None and held_out.matches(text):
                self.report.held_out_documents += 1
                continue
            counters.setdefault(group, WordCounter()).add(text)
            self.report.documents += 1
            sizes[group] = sizes.get(group, 0) + len(text.encode("utf-8", "replace"))
        self._counts = {group: counters[group].counts() for group in sorted(counters)}

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> WordTable:
        """Counts texts that are in memory, as one group."""
        return cls(Document(text, "texto") for text in texts)

    @classmethod
    def from_files(
        cls,
        paths: Iterable[str | Path],
        held_out: Sequence[str | Path] = (),
        progress: Progress | None = None,
    ) -> WordTable:
        """Counts files and folders; see :func:`train_tokenizer` for the arguments and errors."""
        unseen = PassageFilter(read_text(path) for path in held_out) if held_out else None
        notify = progress or _silent
        return cls(read_documents(find_files(paths), lambda done: notify("ler", done)), unseen)

    def weighed(self, shares: Mapping[str, float]) -> dict[str, float]:
        """Occurrences of each word after every group was scaled to its share of the bytes."""
        sizes = self.report.bytes_by_group
        chosen = [
            group for group in self._counts if sizes[group] and (not shares or shares.get(group, 0) > 0)
        ]
        per_share = sum(sizes[group] for group in chosen) / (
            sum(shares.get(group, 0) for group in chosen) or 1.0
        )
        counts: dict[str, float] = {}
        for group in chosen:
            factor = shares[group] * per_share / sizes[group] if shares else 1.0
            for word, count in self._counts[group].items():
                counts[word] = counts.get(word, 0.0) + count * factor
        return counts


def train_tokenizer(
    data: str | Path | Iterable[str | Path] | WordTable,
    vocab_size: int = 16_384,
    output_dir: str | Path | None = None,
    *,
    recipe: Recipe | None = None,
    held_out: Sequence[str | Path] = (),
    progress: Progress | None = None,
) -> LunaTokenizer:
    """Trains a vocabulary; the same data and settings give the same vocabulary.

    Args:
        data: a path or paths of ``.txt``, ``.md``, ``.jsonl``, ``.parquet`` files or folders of these, or
            counts that were made before (:meth:`WordTable.from_texts` takes texts in memory).
        vocab_size: ids in all, control tokens and bytes included. A text too small for so many gives fewer.
        output_dir: folder to write, with ``training.json`` as the record of the training; ``None`` writes
            nothing.
        recipe: weights and method; ``None`` takes the text as it comes.
        held_out: text files that must stay unseen: documents that share 13 words in a row with one are
            dropped.
        progress: hears how far it is.

    Raises:
        TokenizerError: ``vocab_size`` is too small to hold the bytes and the control tokens.
        DataError: the data cannot be read or holds no text.
        MissingDependencyError: parquet data, and pyarrow is not installed.
    """
    if vocab_size < SMALLEST_VOCABULARY:
        raise TokenizerError(
            f"vocab_size={vocab_size} é pequeno demais: os tokens de controle e os bytes já ocupam "
            f"{SMALLEST_VOCABULARY}."
        )
    recipe = recipe or Recipe()
    notify = progress or _silent
    if isinstance(data, WordTable):
        table = data
    else:
        paths = [data] if isinstance(data, str | Path) else data
        table = WordTable.from_files(paths, held_out, notify)
    counts = table.weighed(recipe.shares)
    if not counts:
        raise DataError(
            "Não há texto para treinar o tokenizador: os arquivos estão vazios ou a receita não os inclui."
        )
    notify("aprender", 0.0)
    merges = learn_merges(
        sampled_counts(counts),
        vocab_size - SMALLEST_VOCABULARY,
        split=_word_splitter(counts) if recipe.morpheme_share > 0 else None,
        morpheme_share=recipe.morpheme_share,
    )
    notify("aprender", 1.0)
    control = {token: index for index, token in enumerate(SPECIAL_TOKENS)}
    backend = storage.build_tokenizer({**control, **vocabulary_of(merges, NUM_SPECIAL_TOKENS)}, merges)
    tokenizer = LunaTokenizer.from_backend(backend)
    if output_dir is not None:
        notify("gravar", 0.0)
        report = replace(table.report, vocab_size=tokenizer.vocab_size)
        record = {"llama_cpp_pre": LLAMA_CPP_PRE, "recipe": asdict(recipe), **asdict(report)}
        tokenizer.save_pretrained(output_dir)
        atomic_write_text(
            Path(output_dir) / "training.json", json.dumps(record, ensure_ascii=False, indent=2) + "\n"
        )
        notify("gravar", 1.0)
    return tokenizer


def _word_splitter(counts: Mapping[str, float]) -> Callable[[str], list[str]]:
    """A function that cuts a word at its morpheme borders; a leading mark stays with the first piece."""
    lexicon: dict[str, float] = {}
    for word, count in counts.items():
        letters = _letters(word)
        if letters:
            lexicon[letters.lower()] = lexicon.get(letters.lower(), 0.0) + count
    segmenter = MorphemeSegmenter(lexicon, min_count=max(2.0, _ATTESTED * sum(lexicon.values())))

    def split(word: str) -> list[str]:
        letters = _letters(word)
        if not letters:
            return [word]
        first, *rest = segmenter.split(letters)
        return [word[: len(word) - len(letters)] + first, *rest]

    return split


def _letters(word: str) -> str:
    """The letters of a word without the mark before them; empty where there are other characters."""
    letters = word if word[:1].isalpha() else word[1:]
    return letters if letters.isalpha() else ""


def _silent(stage: str, done: float) -> None:
    """Progress that nobody hears."""
