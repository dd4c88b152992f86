"""Exercises of recall: what is asked can be answered by looking back, and by nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lunagpt.data import exercises
from lunagpt.data.examples import DialogueExample
from lunagpt.data.exercises import KINDS, ExerciseMaker
from lunagpt.data.exercises.material import Message
from lunagpt.data.grounding_format import NO_ANSWER
from lunagpt.data.sources import parse_sources, read_examples
from lunagpt.errors import ConfigError

_PASSAGE = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)
_CITATION = re.compile(r" \[(\d+)\](?=\.?$|[.!?]$)")


def _text(number: int) -> str:
    """A text of sixteen sentences whose words stand in no other."""
    letters = "".join("bcdfghjklm"[int(digit)] + "a" for digit in f"{number:02d}")
    own = [f"{letters}{first}o" for first in "npqrstvxznpqrstv"]
    return " ".join(
        f"A vila {word}la guarda um moinho {word}pi antigo, feito de pedra {word}ru clara." for word in own
    )


def _exercises(kind: str, texts: int = 6) -> list[list[Message]]:
    make = ExerciseMaker([kind])
    return [messages for number in range(texts) for messages in make(_text(number))]


def _passages(question: str) -> dict[int, str]:
    return {int(number): passage for number, passage in _PASSAGE.findall(question.split("\n\nPergunta: ")[0])}


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_same_texts_give_the_same_exercises(kind: str) -> None:
    first = _exercises(kind)
    assert first == _exercises(kind)
    assert len(first) > 10
    assert len({json.dumps(messages) for messages in first}) > len(first) // 2
    for messages in first:
        roles = [message["role"] for message in messages]
        assert roles == ["user", "assistant"] * (len(messages) // 2)
        assert all(message["content"].strip() == message["content"] != "" for message in messages)


def test_repeating_gives_the_very_words() -> None:
    for messages in _exercises("repeat"):
        assert all(message["content"] in messages[0]["content"] for message in messages[1::2])


def test_what_is_found_stands_in_the_passage_that_is_cited() -> None:
    refused = 0
    exercises = _exercises("find", texts=20)
    for messages in exercises:
        question, answer = messages[0]["content"], messages[1]["content"]
        if answer == NO_ANSWER:
            refused += 1
            wanted = re.findall(r"(?:sobre|de|em|menciona) (\w+)[?.]$", question)
            assert wanted
            assert not any(wanted[0].lower() in text.lower() for text in _passages(question).values())
            continue
        cited = _CITATION.search(answer)
        assert cited
        assert _CITATION.sub("", answer).rstrip(".") in _passages(question)[int(cited[1])]
    assert 0 < refused < len(exercises) / 4


def test_a_fact_comes_from_the_passage_that_is_cited() -> None:
    refused = 0
    exercises = _exercises("facts", texts=20)
    for messages in exercises:
        passages = _passages(messages[0]["content"])
        for answer in (message["content"] for message in messages[1::2]):
            if answer == NO_ANSWER:
                refused += 1
                continue
            cited = _CITATION.search(answer)
            assert cited
            words = re.findall(r"[\w,$-]+", _CITATION.sub("", answer).rstrip("."))
            missing = [word for word in words if word.lower() not in passages[int(cited[1])].lower()]
            # The passage may say the same in other words ("Preço da mesa: R$ 7,90.", "é natural de Faro").
            assert not {word for word in missing if word[0].isupper() or word[0].isdigit()} - {
                "Quem",
                "O",
                "A",
            }
    assert 0 < refused < len(exercises) / 3


def test_articles_and_participles_agree() -> None:
    written = " ".join(m["content"] for messages in _exercises("facts", texts=30) for m in messages)
    stored = re.findall(r"\b([OAoa]) [\w-]+ está guardad([oa])\b", written)
    assert len(stored) > 20
    assert all(article.lower() == ending for article, ending in stored)


def test_the_thread_gives_back_what_was_told_and_owns_what_was_not() -> None:
    untold = 0
    for messages in _exercises("thread", texts=20):
        told = ""
        for question, answer in zip(messages[::2], messages[1::2], strict=True):
            if "ainda não me" in answer["content"]:
                untold += 1
                asked = question["content"].lower()
                assert not ("nome" in asked and re.search(r"meu nome é|chamo|sou |aqui é|chamar", told))
                assert not ("moro" in asked and re.search(r"moro em|vivo em", told))
            elif question["content"].endswith("?") and told and "LunaGPT" not in answer["content"]:
                names = re.findall(r"[A-ZÁÉÍÓÚÂÊÔ][\w-]+|\d[\w,]*", answer["content"])[1:]
                assert all(name.lower() in told for name in names), (question, answer)
            told += question["content"].lower() + " "
    assert untold


def test_a_text_of_few_sentences_gives_none() -> None:
    assert not list(ExerciseMaker(list(KINDS))("Curto demais para um exercício. Outra frase que não basta."))


def test_a_source_gives_exercises_in_place_of_its_texts(tmp_path: Path) -> None:
    rows = [{"text": _text(number)} for number in range(3)]
    rows.append({"messages": [{"role": "user", "content": "Oi"}, {"role": "assistant", "content": "Olá"}]})
    path = tmp_path / "textos.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    [source] = parse_sources([{"path": str(path), "exercises": ["repeat", "thread"]}])
    examples = [example for example, _, _ in read_examples(source)]
    assert len(examples) > 6
    assert all(isinstance(example, DialogueExample) for example in examples)
    assert not any(
        message["content"] == "Olá" and len(example.messages) == 2
        for example in examples
        for message in example.messages
    )


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match=r'"decorar".*"repeat", "find"'):
        parse_sources([{"path": "x.jsonl", "exercises": ["decorar"]}])


def test_exercises_made_by_other_rules_are_not_taken_from_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    [source] = parse_sources([{"path": "x.jsonl", "exercises": ["find"]}])
    [plain] = parse_sources([{"path": "x.jsonl"}])
    before, untouched = source.content_options(), plain.content_options()
    monkeypatch.setattr(exercises, "VERSION", exercises.VERSION + 1)
    assert source.content_options() != before
    assert plain.content_options() == untouched
