"""Training vocabularies: reading, counting, two stages of merges, the record, the command."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunagpt.errors import DataError, TokenizerError
from lunagpt.tokenizer import LunaTokenizer, train_tokenizer
from lunagpt.tokenizer.command import run_training
from lunagpt.tokenizer.corpus import Document, PassageFilter, find_files, read_documents
from lunagpt.tokenizer.learning import learn_merges, sampled_counts, to_byte_characters, vocabulary_of
from lunagpt.tokenizer.pretokenization import WordCounter, build_split
from lunagpt.tokenizer.trainer import Recipe, WordTable

VERBS = ("cant", "fal", "and", "pul", "trabalh", "estud", "brinc", "chor", "gost", "olh", "jog", "pint")
ENDINGS = ("ar", "ou", "ava", "avam", "ando", "aram", "aria", "ariam", "asse", "amos")
TEXT = 3 * (
    " ".join(f"Ela {verb}{ending} na casa das flores." for verb in VERBS for ending in ENDINGS) + "\n"
)


def test_training_is_deterministic_and_complete(tmp_path: Path) -> None:
    first = train_tokenizer(WordTable.from_texts([TEXT]), 340, tmp_path)
    second = train_tokenizer(WordTable.from_texts([TEXT]), 340)
    assert first.backend_tokenizer.to_str() == second.backend_tokenizer.to_str()
    assert first.vocab_size == 340
    assert first.decode(first.encode(TEXT)) == TEXT
    assert len(first.encode(TEXT)) < len(TEXT) / 2
    loaded = LunaTokenizer.from_pretrained(tmp_path)
    assert loaded.encode(TEXT) == first.encode(TEXT)
    record = json.loads((tmp_path / "training.json").read_text(encoding="utf-8"))
    assert record["vocab_size"] == 340
    assert record["bytes_by_group"] == {"texto": len(TEXT)}


def test_first_stage_stays_within_morphemes() -> None:
    table = WordTable.from_texts([TEXT])
    tokenizer = train_tokenizer(table, 340, recipe=Recipe(morpheme_share=1.0))
    plain = train_tokenizer(table, 340, recipe=Recipe(morpheme_share=0.0))

    def borders(of: LunaTokenizer) -> int:
        """Words cut exactly between stem and ending."""
        return sum(
            len(stem) + 1 in {end for _, end in of.backend_tokenizer.encode(f" {stem}{ending}").offsets}
            for stem in VERBS
            for ending in ENDINGS
        )

    assert borders(tokenizer) > borders(plain)
    assert borders(tokenizer) >= 0.9 * len(VERBS) * len(ENDINGS)


def test_second_stage_makes_whole_words_again() -> None:
    split = {" cantando": [" cant", "ando"]}
    merges = learn_merges(
        {" cantando": 50, " cantava": 2}, 10, split=lambda word: split.get(word, [word]), morpheme_share=0.7
    )
    vocabulary = vocabulary_of(merges)
    assert len(vocabulary) == 266
    assert "ando" in vocabulary
    assert "Ġcant" in vocabulary
    assert "Ġcantando" in vocabulary


def test_each_merge_joins_tokens_that_exist_by_then() -> None:
    table = WordTable.from_texts([TEXT])
    merges = learn_merges(sampled_counts(table.weighed({})), 80, split=lambda word: [word[:3], word[3:]])
    known = set(vocabulary_of([]))
    for left, right in merges:
        assert left in known
        assert right in known
        known.add(left + right)
    assert len(known) == 256 + 80
    assert len(set(merges)) == len(merges)


def test_too_little_text_gives_a_smaller_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("aba aba aba", encoding="utf-8")
    lines: list[str] = []
    summary = run_training([tmp_path], 5000, tmp_path / "saida", progress=lines.append)
    assert 272 < summary.vocab_size < 300
    assert "pequeno demais para 5.000" in summary.message
    assert LunaTokenizer.from_pretrained(summary.output).vocab_size == summary.vocab_size
    assert lines[0] == "Lendo e contando palavras: 0%"
    assert "Lendo e contando palavras: 100%" in lines
    assert lines[-1] == "Gravando os arquivos: 100%"


def test_impossible_trainings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match="272"):
        train_tokenizer(WordTable.from_texts([TEXT]), 271)
    with pytest.raises(DataError, match="Não há texto"):
        train_tokenizer(WordTable.from_texts([]), 300)
    with pytest.raises(DataError, match="Não há texto"):
        train_tokenizer(WordTable.from_texts([TEXT]), 300, recipe=Recipe({"outro": 1.0}))
    with pytest.raises(DataError, match="não existe"):
        train_tokenizer(tmp_path / "nada.txt")
    with pytest.raises(DataError, match="Não há arquivos"):
        train_tokenizer(tmp_path)
    (tmp_path / "a.pdf").touch()
    with pytest.raises(DataError, match="Não sei ler"):
        train_tokenizer([tmp_path / "a.pdf"])


@pytest.mark.parametrize("line", ["{", "[1]", '{"messages": "["}'])
def test_broken_lines_are_reported_with_their_file(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.jsonl").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.jsonl"):
        train_tokenizer(tmp_path, 300)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.text(st.sampled_from("aá1  .,\n\r\t'-sD\u00a0\x1c\x85\u200b\u0301🌙"), max_size=12), max_size=4
    )
)
def test_counting_by_lumps_equals_the_expression(texts: list[str]) -> None:
    expected: Counter[str] = Counter()
    for text in texts:
        composed = unicodedata.normalize("NFC", text.replace("\ud800", "\ufffd"))
        expected.update(word for word, _ in build_split().pre_tokenize_str(composed))
    counter = WordCounter()
    for text in texts:
        counter.add(text)
    assert counter.counts() == expected


def test_shares_scale_groups() -> None:
    documents = [Document("aa bb", "x"), Document("cc cc cc cc cc cc", "y"), Document("dd", "z")]
    counts = WordTable(documents).weighed({"x": 0.75, "y": 0.25})
    assert " dd" not in counts
    size = {"x": 5, "y": 17}
    assert counts["aa"] == pytest.approx(0.75 * 22 / size["x"])
    assert counts[" cc"] == pytest.approx(5 * 0.25 * 22 / size["y"])
    assert WordTable(documents).weighed({})["dd"] == 1


def test_sampling_keeps_proportions() -> None:
    assert sampled_counts({"b": 300.0, "a": 100.0, "c": 0.1}, total=40) == {"a": 10, "b": 30}
    assert sampled_counts({"a": 3.0}, total=100) == {"a": 3}
    assert list(sampled_counts({"b": 1, "a": 1})) == ["a", "b"]


def test_files_and_fields(tmp_path: Path) -> None:
    folder = tmp_path / "luna"
    folder.mkdir()
    (folder / "b.txt").write_text("\ufefftexto solto", encoding="utf-8")
    (folder / "MANIFEST.md").write_text("sobre os dados", encoding="utf-8")
    (folder / "valid-000.jsonl").write_text('{"text": "reservado"}', encoding="utf-8")
    (folder / "eval").mkdir()
    (folder / "eval" / "x.txt").write_text("reservado", encoding="utf-8")
    rows = [
        {"text": "novo", "domain": "literature", "era": "modern"},
        {"text": "antigo", "domain": "literature", "era": "historic"},
        {"title": "Sol", "text": "estrela", "qa": [{"q": "O que é?", "a": "Uma estrela."}]},
        {
            "messages": [
                {"role": "user", "content": "oi"},
                {"role": "assistant", "content": "olá", "thinking": "hm"},
            ]
        },
        {"messages": json.dumps([{"role": "user", "content": "em texto"}]), "domain": "saúde"},
        {"prompt_messages": [{"content": "pergunta"}], "chosen": "boa", "rejected": "ruim"},
        {"documents": [{"title": "Ata", "content": "reunião"}]},
        {"text": "reservado", "split": "valid"},
        {"text": "novo", "domain": "literature", "era": "modern"},
    ]
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n", encoding="utf-8")
    heard: list[float] = []
    documents = list(read_documents(find_files([tmp_path]), heard.append))
    assert documents == [
        ("novo", "literature"),
        ("antigo", "literature-historic"),
        ("Sol\nestrela", "luna"),
        ("O que é?", "luna"),
        ("Uma estrela.", "luna"),
        ("oi", "luna"),
        ("olá", "luna"),
        ("hm", "luna"),
        ("em texto", "luna"),
        ("pergunta", "luna"),
        ("boa", "luna"),
        ("Ata\nreunião", "luna"),
        ("texto solto", "luna"),
    ]
    assert heard[0] == 0.0
    assert heard[-1] == 1.0
    assert heard == sorted(heard)


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"text": ["um", "dois"], "domain": ["law", "web"], "era": ["modern", "modern"]})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert list(read_documents(find_files([tmp_path]))) == [("um", "law"), ("dois", "web")]


def test_held_out_passages_are_dropped(tmp_path: Path) -> None:
    passage = "ha ouro marchetado em mim a pedras raras ouro sinistro em sons de bronzes medievais"
    held_out = PassageFilter([passage])
    words = passage.split()
    assert held_out.matches("Antes. " + passage.upper().replace(" ", ", ") + " depois")
    assert held_out.matches(" ".join(words[1:14]))
    assert not held_out.matches(" ".join(words[:12]))
    assert not held_out.matches(" ".join([*words[:7], "outra", *words[7:13]]))
    (tmp_path / "reservado.txt").write_text(passage, encoding="utf-8")
    (tmp_path / "a.txt").write_text(TEXT + passage, encoding="utf-8")
    (tmp_path / "b.txt").write_text(TEXT, encoding="utf-8")
    table = WordTable.from_files([tmp_path / "a.txt", tmp_path / "b.txt"], [tmp_path / "reservado.txt"])
    assert (table.report.documents, table.report.held_out_documents) == (1, 1)
    assert "marchetado" not in "".join(table.weighed({}))


def test_recipe_file(tmp_path: Path) -> None:
    path = tmp_path / "receita.json"
    path.write_text('{"note": "x", "shares": {"a": 1}, "morpheme_share": 0.5}', encoding="utf-8")
    assert Recipe.from_file(path) == Recipe({"a": 1.0}, 0.5)
    for broken in ("{", "[]", '{"shares": {"a": "x"}}', '{"shares": {"a": -1}}', '{"morpheme_share": 2}'):
        path.write_text(broken, encoding="utf-8")
        with pytest.raises(DataError, match="receita"):
            Recipe.from_file(path)
    with pytest.raises(DataError, match="receita"):
        Recipe.from_file(tmp_path / "nada.json")


def test_byte_characters_are_those_of_the_library() -> None:
    text = "São 10 h\n🌙\x00\xad"
    from tokenizers import pre_tokenizers

    expected = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
    assert to_byte_characters(text) == "".join(piece for piece, _ in expected)
