"""Builds the evaluation sets that ship with the package, so that a first measurement needs no other data.

    python benchmarks/own_evaluation.py

`pares_luna.jsonl`: sentences beside the same with one mistake, made by rule from the word lists below.
`perguntas_luna.jsonl`: everyday questions with four short answers, from `benchmarks/data/perguntas_luna.txt`.
Both were written for this project (CC0) and are used in no training.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path

from lunagpt.files import atomic_write_text

ASSETS = Path(__file__).parents[1] / "src" / "lunagpt" / "assets" / "avaliacao"
QUESTIONS = Path(__file__).parent / "data" / "perguntas_luna.txt"
PER_PHENOMENON = 30

# noun, its plural, gender
NOUNS = [
    ("caderno", "cadernos", "m"),
    ("janela", "janelas", "f"),
    ("cachorro", "cachorros", "m"),
    ("bicicleta", "bicicletas", "f"),
    ("vizinho", "vizinhos", "m"),
    ("padaria", "padarias", "f"),
    ("livro", "livros", "m"),
    ("menina", "meninas", "f"),
    ("relógio", "relógios", "m"),
    ("camisa", "camisas", "f"),
    ("caminhão", "caminhões", "m"),
    ("árvore", "árvores", "f"),
    ("jornal", "jornais", "m"),
    ("ponte", "pontes", "f"),
    ("barco", "barcos", "m"),
    ("chave", "chaves", "f"),
    ("jardim", "jardins", "m"),
    ("lâmpada", "lâmpadas", "f"),
]
# masculine, feminine, and both in the plural
ADJECTIVES = [
    ("novo", "nova", "novos", "novas"),
    ("antigo", "antiga", "antigos", "antigas"),
    ("bonito", "bonita", "bonitos", "bonitas"),
    ("pequeno", "pequena", "pequenos", "pequenas"),
    ("famoso", "famosa", "famosos", "famosas"),
    ("estranho", "estranha", "estranhos", "estranhas"),
]
# what a thing or things do, in words that show no gender: singular, plural
PREDICATES = [
    ("fica no fim da rua", "ficam no fim da rua"),
    ("chegou ontem de manhã", "chegaram ontem de manhã"),
    ("apareceu na televisão", "apareceram na televisão"),
    ("sumiu depois da festa", "sumiram depois da festa"),
    ("pertence ao meu avô", "pertencem ao meu avô"),
    ("custa caro hoje em dia", "custam caro hoje em dia"),
]
PEOPLE = [
    ("o pai", "os pais"),
    ("a professora", "as professoras"),
    ("o médico", "os médicos"),
    ("a irmã", "as irmãs"),
]
VERBS = [
    ("mora", "moram", "perto daqui"),
    ("trabalha", "trabalham", "aos sábados"),
    ("viaja", "viajam", "todo mês"),
    ("conhece", "conhecem", "o caminho"),
    ("prefere", "preferem", "café sem açúcar"),
    ("dorme", "dormem", "cedo"),
]
# subject, its verb, another person's verb, rest
PERSONS = [
    ("Eu", ["tenho", "faço", "vou", "posso", "quero"], ["tem", "faz", "vai", "pode", "quer"]),
    ("Nós", ["temos", "fazemos", "vamos", "podemos", "queremos"], ["tem", "faz", "vai", "pode", "quer"]),
    (
        "Eles",
        ["têm", "fazem", "vão", "podem", "querem"],
        ["temos", "fazemos", "vamos", "podemos", "queremos"],
    ),
]
PERSON_RESTS = [
    ["dois irmãos", "pouco tempo"],
    ["o almoço", "a lição de casa"],
    ["ao cinema no domingo", "à praia amanhã"],
    ["ajudar com as malas", "esperar mais um pouco"],
    ["um copo de água", "aprender a nadar"],
]
CONTRACTIONS = [
    ("da", "de a", "Ela saiu {} escola mais cedo."),
    ("do", "de o", "O carro {} diretor está na oficina."),
    ("na", "em a", "O gato dorme {} cadeira da sala."),
    ("no", "em o", "As crianças brincam {} quintal."),
    ("pela", "por a", "O trem passa {} cidade à noite."),
    ("pelo", "por o", "Ele perguntou {} preço do peixe."),
    ("ao", "a o", "Fomos {} mercado de manhã."),
    ("dele", "de ele", "A casa {} fica na esquina."),
    ("nisso", "em isso", "Nunca tinha pensado {}."),
    ("dessas", "de essas", "Gosto muito {} flores amarelas."),
]
CONTRACTION_STARTS = ["", "Parece que ", "Todo mundo sabe que "]
# adverb of the past or the future, subject, past form, future form, rest
TIMES = [
    ("Ontem", "Amanhã"),
    ("Na semana passada", "Na semana que vem"),
    ("No ano passado", "No ano que vem"),
]
TENSES = [
    ("ela comprou", "ela comprará", "um vestido"),
    ("o time ganhou", "o time ganhará", "o jogo"),
    ("eles visitaram", "eles visitarão", "a avó"),
    ("a loja abriu", "a loja abrirá", "mais tarde"),
    ("nós pintamos a parede e saímos", "nós pintaremos a parede e sairemos", "cedo"),
]
# with the right preposition and a wrong one
GOVERNMENTS = [
    ("{} gosta de música", "{} gosta em música"),
    ("{} precisa de ajuda", "{} precisa em ajuda"),
    ("{} acredita em mim", "{} acredita de mim"),
    ("{} sonha com o mar", "{} sonha do mar"),
    ("{} depende dos amigos", "{} depende nos amigos"),
    ("{} mora em Recife", "{} mora de Recife"),
]
GOVERNORS = ["Minha tia", "O Paulo", "A Renata", "Meu primo", "Essa moça"]


def article(gender: str, plural: bool) -> str:
    return {"m": "os" if plural else "o", "f": "as" if plural else "a"}[gender]


def capital(text: str) -> str:
    return text[0].upper() + text[1:]


def pairs() -> Iterator[tuple[str, str, str]]:
    """Phenomenon, right sentence, wrong sentence: all that the lists give."""
    for i, (one, many, gender) in enumerate(NOUNS):
        other = "f" if gender == "m" else "m"
        for j, (does, do) in enumerate(PREDICATES):
            right = article(gender, False)
            yield (
                "gênero do artigo",
                f"{capital(right)} {one} {does}.",
                f"{capital(article(other, False))} {one} {does}.",
            )
            plural = article(gender, True)
            yield "número do artigo", f"{capital(plural)} {many} {do}.", f"{capital(right)} {many} {do}."
            adjective = ADJECTIVES[(i + j) % len(ADJECTIVES)]
            own, foreign = adjective[gender == "f"], adjective[gender != "f"]
            yield (
                "gênero do adjetivo",
                f"{capital(right)} {one} {own} {does}.",
                f"{capital(right)} {one} {foreign} {does}.",
            )
            owns = adjective[2 + (gender == "f")]
            yield (
                "número do adjetivo",
                f"{capital(plural)} {many} {owns} {do}.",
                f"{capital(plural)} {many} {own} {do}.",
            )
            yield "verbo e sujeito", f"{capital(plural)} {many} {do}.", f"{capital(plural)} {many} {does}."
    for head, heads in PEOPLE:
        for near, nears in PEOPLE:
            for does, do, rest in VERBS:
                of_many = f"d{nears}" if nears != heads else "das crianças"
                of_one = f"d{near}" if near != head else "da criança"
                right, wrong = (
                    f"{capital(head)} {of_many} {does} {rest}.",
                    f"{capital(head)} {of_many} {do} {rest}.",
                )
                yield "verbo longe do sujeito", right, wrong
                right, wrong = (
                    f"{capital(heads)} {of_one} {do} {rest}.",
                    f"{capital(heads)} {of_one} {does} {rest}.",
                )
                yield "verbo longe do sujeito", right, wrong
    for subject, verbs, wrongs in PERSONS:
        for verb, bad, rests in zip(verbs, wrongs, PERSON_RESTS, strict=True):
            for rest in rests:
                yield "pessoa do verbo", f"{subject} {verb} {rest}.", f"{subject} {bad} {rest}."
    for start in CONTRACTION_STARTS:
        for joined, apart, sentence in CONTRACTIONS:
            text = start + (sentence[0].lower() + sentence[1:] if start else sentence)
            yield "contração", text.format(joined), text.format(apart)
    for past, future in TIMES:
        for did, will, rest in TENSES:
            yield "tempo do verbo", f"{past}, {did} {rest}.", f"{past}, {will} {rest}."
            yield "tempo do verbo", f"{future}, {will} {rest}.", f"{future}, {did} {rest}."
    for subject in GOVERNORS:
        for right, wrong in GOVERNMENTS:
            yield "preposição", right.format(subject) + ".", wrong.format(subject) + "."


def pair_rows(chance: random.Random) -> list[dict[str, object]]:
    by_phenomenon: dict[str, list[tuple[str, str]]] = {}
    for phenomenon, right, wrong in pairs():
        by_phenomenon.setdefault(phenomenon, []).append((right, wrong))
    rows = []
    for phenomenon, found in by_phenomenon.items():
        for number, (right, wrong) in enumerate(
            chance.sample(found, min(PER_PHENOMENON, len(found))), start=1
        ):
            index = chance.randrange(2)
            rows.append(
                {
                    "id": f"{phenomenon.replace(' ', '-')}-{number}",
                    "task": "minimal_pair",
                    "question": "Qual das duas frases está correta?",
                    "choices": [right, wrong] if index == 0 else [wrong, right],
                    "answer": right,
                    "answer_index": index,
                    "phenomenon": phenomenon,
                    "license": "CC0-1.0",
                }
            )
    return rows


def question_rows(chance: random.Random) -> list[dict[str, object]]:
    rows = []
    lines = [line for line in QUESTIONS.read_text(encoding="utf-8").splitlines() if line.strip()]
    for number, line in enumerate(lines, start=1):
        question, right, *wrong = line.split("|")
        choices = [right, *wrong]
        chance.shuffle(choices)
        rows.append(
            {
                "id": f"pergunta-{number}",
                "task": "multiple_choice",
                "question": question,
                "choices": choices,
                "answer": right,
                "answer_index": choices.index(right),
                "license": "CC0-1.0",
            }
        )
    return rows


def main() -> None:
    for name, rows in (
        ("pares_luna", pair_rows(random.Random(0))),
        ("perguntas_luna", question_rows(random.Random(0))),
    ):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        atomic_write_text(ASSETS / f"{name}.jsonl", text)
        print(f"{name}: {len(rows)}")


if __name__ == "__main__":
    main()
