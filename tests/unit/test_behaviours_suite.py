"""The scripts that ship: they can be passed and failed, and understanding nothing passes almost none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.scripted_engine import ScriptedEngine

from lunagpt.engines import Message
from lunagpt.errors import DataError
from lunagpt.evaluation.behaviours import builtin_skills, load_skills, run_behaviours
from lunagpt.evaluation.behaviours.answer import Answer
from lunagpt.evaluation.behaviours.report import FORMAT
from lunagpt.evaluation.behaviours.runner import judge, trivial_verdicts
from lunagpt.evaluation.behaviours.scenario import Scenario, ScriptTurn

SKILLS = builtin_skills()
SCENARIOS = [scenario for skill in SKILLS for scenario in skill.scenarios]
MINI = """
skill: memoria
title: Lembra
scenarios:
- id: nome
  turns:
  - user: Meu nome é Caio.
  - user: Qual é o meu nome?
    expect: [{contains: Caio}, {max_words: 6}]
    good: Caio.
    bad: Não sei.
- id: hora
  system: Responda em uma palavra.
  max_tokens: 7
  turns:
  - user: Que horas são?
    luna: Duas.
  - user: A que horas fecha?
    documents: [{title: Loja, content: Fecha às 18h.}]
    expect: {contains: 18h}
"""


def judged_turns() -> list[tuple[Scenario, ScriptTurn, tuple[str, ...]]]:
    """Every judged turn with what Luna said before, going by the sample answers."""
    found = []
    for scenario in SCENARIOS:
        said: list[str] = []
        for turn in scenario.turns:
            if turn.checks:
                found.append((scenario, turn, tuple(said)))
            said.append(turn.given or (turn.good[0] if turn.good else "Certo."))
    return found


def test_there_are_enough_scripts_of_every_skill() -> None:
    assert len(SKILLS) == 20
    assert len(SCENARIOS) >= 420
    assert min(len(skill.scenarios) for skill in SKILLS) >= 12
    assert sum(len(scenario.turns) > 1 for scenario in SCENARIOS) >= 400
    assert len(judged_turns()) >= 700


def test_every_judged_answer_has_a_sample_that_passes_and_one_that_fails() -> None:
    for scenario, turn, said in judged_turns():
        assert turn.good, scenario.id
        assert turn.bad, scenario.id
        for text in turn.good:
            assert judge(turn, Answer(text, turn.user, said)).problems == (), f"{scenario.id}: {text}"
        for text in turn.bad:
            assert judge(turn, Answer(text, turn.user, said)).problems, f"{scenario.id}: {text}"


def test_titles_fit_the_terminal() -> None:
    assert max(len(skill.title) for skill in SKILLS) <= 41


def test_no_script_is_a_copy_of_another() -> None:
    questions = [turn.user for scenario in SCENARIOS for turn in scenario.turns]
    conversations = [tuple(turn.user for turn in scenario.turns) for scenario in SCENARIOS]
    assert len(set(conversations)) == len(conversations)
    assert len(set(questions)) > 0.95 * len(questions)


def test_understanding_nothing_passes_almost_nothing() -> None:
    verdicts = trivial_verdicts(SKILLS)
    passes = {
        name: frozenset(id for id, found in entries.items() if all(found))
        for name, entries in verdicts.items()
    }
    assert len(passes) == 8
    for name, ids in passes.items():
        assert len(ids) <= 0.03 * len(SCENARIOS), name
    for name, entries in verdicts.items():
        answers = [verdict for found in entries.values() for verdict in found]
        assert sum(answers) <= 0.12 * len(answers), name
    together = frozenset().union(*passes.values())
    assert len(together) <= 0.06 * len(SCENARIOS)
    for skill in SKILLS:
        best = max(sum(scenario.id in ids for scenario in skill.scenarios) for ids in passes.values())
        assert best <= 0.2 * len(skill.scenarios), skill.name


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    path = tmp_path / "mini.yaml"
    path.write_text(MINI, encoding="utf-8")
    return path


def test_a_run_plays_the_scripts(mini: Path) -> None:
    engine = ScriptedEngine.saying("Oi, Caio!", "Você se chama Caio.", "Às 18h.")
    report = run_behaviours(engine, suite=mini)
    assert [len(prompt) for prompt in engine.prompts] == [1, 3, 4]
    assert engine.prompts[2][0] == {"role": "system", "content": "Responda em uma palavra."}
    assert engine.prompts[2][2] == {"role": "assistant", "content": "Duas."}
    assert engine.prompts[2][3]["content"].startswith("Documentos:\n[1] Loja: Fecha às 18h.")
    assert [params.max_new_tokens for params in engine.params] == [160, 160, 7]
    assert {params.temperature for params in engine.params} == {0}
    assert (report.overall.passed, report.overall.n, report.overall.value) == (2, 2, 1.0)
    assert 0.3 < report.overall.low < 0.4
    assert [rate.n for rate in report.form] == [3] * 5


def test_a_run_says_why_an_answer_fails(mini: Path) -> None:
    engine = ScriptedEngine.saying("Oi!", "Você é o Caetano e mora muito longe daqui.", "")
    report = run_behaviours(engine, suite=mini)
    problems = [turn.problems for _, turn in report.failures()]
    assert problems == [
        ('falta "Caio"', "tem 9 palavras; o máximo é 6"),
        ("a resposta está vazia",),
    ]
    assert report.overall.passed == 0
    assert report.rates[0].trivial == 0.5  # repeating all that was heard has the name, and the time
    page = report.transcripts_markdown()
    assert '- ✗ falta "Caio"' in page
    assert "(vazia)" in page


def test_the_form_of_every_answer_counts(mini: Path) -> None:
    circles = "a chuva caiu de novo " * 8
    report = run_behaviours(
        ScriptedEngine.saying(circles, "It is Caio and that is the name.", "18h"), suite=mini
    )
    rates = {rate.skill: rate.passed for rate in report.form}
    assert rates == {"vazia": 3, "fim": 3, "circulos": 2, "lingua": 2, "eco": 3}
    # the first answer only leads on: its circles do not fail the scenario, the English of the second does
    ((_, turn),) = report.failures()
    assert turn.problems is not None
    assert turn.problems[0] == "está em inglês, e não em português"


def test_the_report_can_be_stored_and_read(mini: Path) -> None:
    report = run_behaviours(ScriptedEngine.echo(), suite=mini)
    stored = json.loads(json.dumps(report.to_dict(), ensure_ascii=False))
    assert stored["format"] == FORMAT
    assert stored["overall"]["n"] == 2
    assert len(stored["transcripts"][0]["turns"]) == 2
    table = report.to_markdown()
    assert "| Lembra | 0 de 2 | 0 % | 0 % a 66 % | 50 % | 0 de 2 (0 %) | 50 % |" in table
    assert "| Fica em português |" in table
    text = report.to_text()
    assert max(map(len, text.splitlines())) <= 80
    assert "0/2   0 %" in text


def test_a_model_that_only_generates_is_played_too(mini: Path) -> None:
    class Generator:
        name = "gerador"

        def generate(
            self, dialogues: list[list[Message]], *, max_new_tokens: int, temperature: float, seed: int
        ) -> list[str]:
            return [f"Caio, 18h, {max_new_tokens}" for _ in dialogues]

    report = run_behaviours(Generator(), suite=mini)
    assert report.overall.passed == 2
    # how an answer ended is not known, so it is not counted
    assert {rate.skill: rate.n for rate in report.form}["fim"] == 0


def test_a_limit_takes_from_every_skill() -> None:
    played: list[tuple[int, int]] = []
    report = run_behaviours(
        ScriptedEngine(lambda _: "Oi."), limit=len(SKILLS) + 3, on_progress=lambda *done: played.append(done)
    )
    assert [rate.n for rate in report.rates] == [2, 2, 2] + [1] * (len(SKILLS) - 3)
    assert played[-1] == (23, 23)
    only = run_behaviours(ScriptedEngine(lambda _: "Oi."), limit=2, skills=("contas",))
    assert [rate.skill for rate in only.rates] == ["contas"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("title: Lembra", "titulo: Lembra"), "mini.yaml"),
        (("contains: Caio", "contem: Caio"), "contem"),
        (("- id: hora", "- id: nome"), 'dois cenários com o id "nome"'),
        (("    luna: Duas.", "    luna: Duas.\n    expect: {contains: a}"), "hora"),
        (("max_tokens: 7", "max_tokens: sete"), "max_tokens"),
        (("scenarios:", "scenarios: ["), "YAML"),
        (("    expect: {contains: 18h}\n", ""), 'nenhuma fala tem "expect"'),
    ],
)
def test_broken_files_are_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = tmp_path / "mini.yaml"
    path.write_text(MINI.replace(*change), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load_skills([path])


def test_wrong_requests_are_refused(mini: Path, tmp_path: Path) -> None:
    engine = ScriptedEngine.echo()
    with pytest.raises(DataError, match="limite"):
        run_behaviours(engine, suite=mini, limit=0)
    with pytest.raises(DataError, match="memoria"):
        run_behaviours(engine, suite=mini, skills=("datas",))
    with pytest.raises(DataError, match="Não consegui ler"):
        run_behaviours(engine, suite=tmp_path / "nada.yaml")
