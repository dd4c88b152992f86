"""Sentences: the labelled set, hard cases one by one, and offsets that cover any text."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.labelled_sentences import Passage, read_passages

from lunagpt.data.layout import find_blocks
from lunagpt.data.sentences import split_sentences

GOLD = read_passages(Path(__file__).parents[1] / "data" / "sentencas.txt")


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


def boundary_counts(passages: list[Passage]) -> tuple[int, int, int]:
    right = wrong = missed = 0
    for passage in passages:
        expected = {end for _, end in passage.spans[:-1]}
        found = {end for _, end in split_sentences(passage.text)[:-1]}
        right += len(expected & found)
        wrong += len(found - expected)
        missed += len(expected - found)
    return right, wrong, missed


def test_the_labelled_set_is_large_and_varied() -> None:
    assert sum(len(passage.spans) for passage in GOLD) >= 300
    assert len({passage.domain for passage in GOLD}) >= 12
    assert sum(len(passage.spans) for passage in GOLD if passage.reserved) >= 100


@pytest.mark.parametrize("reserved", [False, True], ids=["development", "reserved"])
def test_labelled_set(reserved: bool) -> None:
    right, wrong, missed = boundary_counts([one for one in GOLD if one.reserved is reserved])
    assert right / (right + wrong) >= 0.97
    assert right / (right + missed) >= 0.97


WHOLE = [
    "O Dr. João e a Dra. Ana moram na Av. Brasil, nº 10, ap. 3.",
    "Nos termos do art. 5º, inc. II, § 2º, da CF, o prazo é de 30 dias.",
    "Custou R$ 1.250,00, isto é, US$ 250.00 ou menos.",
    "J. R. R. Tolkien e Machado de A. Silva nunca se viram.",
    "Veja p. ex. a pág. 12 do vol. 2, i.e., o cap. 3.",
    "O 1º. lugar ficou com a 3ª. turma.",
    '"Não vou!", disse ela, e saiu.',
    "— Não vou! — disse ela, e saiu.",
    "Ele disse (e quem duvida? ninguém!) que viria.",
    "Acesse www.exemplo.com.br/a?b=1 e escreva para a.b@exemplo.com hoje.",
    "Comprou pão, leite, ovos etc. e voltou.",
    "Esperou... e esperou mais.",
    "Em 44 a.C. houve guerra em Roma.",
    "A Lei n. 8.112/90 e o Dec. n.º 1.171 tratam disso.",
    "1. Abra o programa.",
    "Art. 12. O prazo é de dez dias.",
    "Parágrafo único. A multa dobra.",
    "Segundo a obra citada (...) Pedro não sabia.",
    "Publicado em 12 jan. 2020 no jornal.",
    "O prazo, cf. súm. 331 e o matr. 4.512, acabou.",
]


@pytest.mark.parametrize("text", WHOLE)
def test_one_sentence_stays_whole(text: str) -> None:
    assert sentences(text) == [text]


PARTED = [
    ["O Sr. Lima chegou às 10h.", "Sentou-se."],
    ["Comprou pão, leite, etc.", "Depois saiu."],
    ["Foi presa em 1999.", "20 anos depois, voltou."],
    ["Sério?!", "Não acredito..."],
    ['Ele disse: "Vá embora."', "Ninguém foi."],
    ["Perguntou pela vitamina C.", "Ninguém sabia."],
    ["Viu-a.", "Calou-se."],
    ["O médico chegou.[2]", "O doente, não."],
    ["Adorei! 😍", "Voltarei."],
    ["Valeu! :)", "Até mais."],
    ["(Era tarde.)", "Saímos."],
    ["A Empresa S.A. faliu.", "O dono fugiu."],
    ["Assinou com a Empresa S.A.", "O valor é secreto."],
    ["tudo bem?", "tudo.", "e você?"],
    ["Gastei R$ 5.", "Sobrou troco."],
    ["Fim.", "«Começo», disse."],
    ["Use o iPad.", "iPhone não serve."],
]


@pytest.mark.parametrize("expected", PARTED, ids=lambda expected: expected[0])
def test_sentences_part(expected: list[str]) -> None:
    assert sentences(" ".join(expected)) == expected


def test_a_forgotten_space_is_forgiven() -> None:
    assert sentences("Ele saiu.Depois voltou.") == ["Ele saiu.", "Depois voltou."]
    assert sentences("Use o Node.Js ou o Asp.Net aqui.") == ["Use o Node.Js ou o Asp.Net aqui."]


def test_lines_that_are_sentences_of_their_own() -> None:
    text = "# Título\n\nIsto é:\n- um\n- dois. Sim.\n\n| a | b |\n| c. D | e |\n\n```\nx = 1. Y\n```"
    assert sentences(text) == [
        "# Título", "Isto é:", "- um", "- dois.", "Sim.", "| a | b |", "| c. D | e |", "```", "x = 1. Y",
        "```",
    ]  # fmt: skip


def test_lines_of_fixed_width_flow_on() -> None:
    text = (
        "O texto foi quebrado em linhas de largura fixa pelo programa do velho Dr.\n"
        "Prado, que nunca ouviu falar de parágrafos longos. Depois, Maria e Pedro\n"
        "Álvares leram tudo.\n"
        "Um título curto\n"
        "Outra linha"
    )
    assert [one.split()[-1] for one in sentences(text)] == ["longos.", "tudo.", "curto", "linha"]


FRAGMENTS = st.sampled_from(
    ["O Dr. ", "A. ", "p. 3", "casa", "Art. 5º ", "...", "?!", "\n", "\n\n", "- ", "1. ", "“", "”", '"', "(",
     ")", "— ", "etc. ", "R$ 1.000,00", " ", "\t", "# ", "| a | b |", "```\n", ":)", "😀",
     "Ele saiu.", "fim.O ", "\r\n", "\x0c", "é", "[1]", "www.a.com", "I - ", "\u2028", "ﬁ", "0,5 ", ";", ":",
     "§ 1º. "]
)  # fmt: skip


@given(st.one_of(st.text(max_size=200), st.lists(FRAGMENTS, max_size=40).map("".join)))
def test_offsets_cover_all_visible_text_in_order(text: str) -> None:
    position = 0
    for start, end in split_sentences(text):
        assert not text[position:start].strip()
        assert start < end
        assert text[start:end] == text[start:end].strip()
        position = end
    assert not text[position:].strip()


@given(st.lists(FRAGMENTS, max_size=40).map("".join))
def test_blocks_cover_all_visible_text_in_order(text: str) -> None:
    position = 0
    for block in find_blocks(text):
        assert not text[position : block.start].strip()
        assert text[block.start : block.end] == text[block.start : block.end].strip() != ""
        position = block.end
    assert not text[position:].strip()


HOSTILE = [".", "a. ", "(", "a (", "a\n", "x", "| ", "``` \n", "😀", '."', ": ", "1. ", "A. B", "\n- a.", "—"]


@pytest.mark.parametrize("unit", HOSTILE, ids=repr)
def test_time_stays_linear(unit: str) -> None:
    text = unit * (50_000 // len(unit))

    def seconds(size: int) -> float:
        """CPU time of the fastest of three runs: a busy machine slows single ones."""
        times = []
        for _ in range(3):
            started = time.process_time()
            split_sentences(text[:size])
            times.append(time.process_time() - started)
        return min(times)

    # Quadratic time would be 100 times more for ten times the text.
    assert seconds(len(text)) < 50 * max(seconds(len(text) // 10), 0.01)
