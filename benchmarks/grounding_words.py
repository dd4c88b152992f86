"""Counts words for the grounding code and writes their weights into the package.

    python benchmarks/grounding_words.py --data-root PASTA

Reads the encyclopaedia and the training rows of the Luna dialogues and documents: what was written for this
project. Each line of the result: stem, ten times the logarithm of one over the share of texts that have it,
and "N" if it stands with a capital inside sentences most of the time (a name).
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lunagpt.chat.grounding.words import words
from lunagpt.files import atomic_write_text

ASSET = Path(__file__).parents[1] / "src/lunagpt/assets/grounding/word_weights.txt"
_DIALOGUES = ("conversa", "tarefas", "explicacoes", "historias", "longas")
_LEAST_TEXTS = 4
_NAME_SHARE = 0.8


def texts(root: Path) -> Iterator[str]:
    """Every text once."""
    for path in sorted((root / "enciclopedia").glob("*.jsonl")):
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            yield f"{row['title']}. {row['text']}"
    seen = set()
    for row in map(json.loads, (root / "luna/documentos.jsonl").read_text(encoding="utf-8").splitlines()):
        for document in row["documents"] if row["split"] == "train" else ():
            if document["content"] not in seen:
                seen.add(document["content"])
                yield f"{document['title']}. {document['content']}"
    for name in _DIALOGUES:
        for row in map(json.loads, (root / f"luna/{name}.jsonl").read_text(encoding="utf-8").splitlines()):
            if row["split"] == "train":
                yield "\n".join(message["content"] for message in row["messages"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", type=Path, required=True)
    root = parser.parse_args().data_root
    count, having, inside, capital = 0, Counter(), Counter(), Counter()
    for text in texts(root):
        count += 1
        found = [word for word in words(text) if not word.is_stop and not word.is_number]
        having.update({word.stem for word in found})
        for word in found:
            if text[: word.start].rstrip()[-1:].isalpha() or text[: word.start].endswith(", "):
                inside[word.stem] += 1
                capital[word.stem] += word.is_capitalised
    lines = []
    for stem, texts_with in sorted(having.items()):
        if texts_with < _LEAST_TEXTS:
            continue
        name = capital[stem] > _NAME_SHARE * max(inside[stem], 1)
        lines.append(f"{stem}\t{round(10 * math.log(count / texts_with))}" + ("\tN" if name else ""))
    atomic_write_text(ASSET, "\n".join(lines) + "\n")
    print(f"{count} textos, {len(lines)} palavras")


if __name__ == "__main__":
    main()
