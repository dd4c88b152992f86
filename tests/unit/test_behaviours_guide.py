"""The guide of behaviours says what is so: its example works, its tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.scripted_engine import ScriptedEngine

from lunagpt.engines import Message
from lunagpt.evaluation.behaviours import builtin_skills, run_behaviours
from lunagpt.evaluation.behaviours.checks import CONDITIONS
from lunagpt.evaluation.behaviours.judge import OpenAIServer
from lunagpt.evaluation.behaviours.runner import trivial_verdicts

GUIDE = (Path(__file__).parents[2] / "docs" / "comportamentos.md").read_text(encoding="utf-8")


def test_the_example_file_can_be_played(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    path = tmp_path / "padaria.yaml"
    path.write_text(example, encoding="utf-8")

    def reply(messages: list[Message]) -> str:
        return {1: "Oi, Rui!", 2: "Às 7h30 [1].", 3: "Rui."}[sum(m["role"] == "user" for m in messages)]

    assert run_behaviours(ScriptedEngine(reply), suite=str(path)).overall.value == 1.0


def test_the_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "lunagpt.engines.LunaEngine", lambda model: ScriptedEngine(lambda messages: "Às 7h30 [1].")
    )
    monkeypatch.setattr("lunagpt.models.LunaModel.from_pretrained", lambda path: None)
    monkeypatch.setattr(OpenAIServer, "__call__", lambda self, messages: '{"motivo": "boa", "nota": 4}')
    monkeypatch.chdir(tmp_path)
    (yaml,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    Path("padaria.yaml").write_text(yaml, encoding="utf-8")
    first, own, judged = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    names: dict[str, object] = {}
    for block in (first.replace("limit=80", "limit=3"), judged, own):
        exec(compile(block, "docs/comportamentos.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "cumprimentos-manha-e-tchau · Às 7h30 [1]. ·" in printed
    assert printed.endswith("4.0 None\n")


def test_the_tables_name_every_skill_and_condition() -> None:
    for skill in builtin_skills():
        assert re.search(rf"^\| .*\b{skill.name}\b.* \|", GUIDE, re.MULTILINE), skill.name
    for name in (*CONDITIONS, "any_of"):
        assert f"`{name}`" in GUIDE, name


def test_the_figures_are_those_of_the_suite() -> None:
    scenarios = [scenario for skill in builtin_skills() for scenario in skill.scenarios]
    answers = sum(bool(turn.checks) for scenario in scenarios for turn in scenario.turns)
    assert f"{len(scenarios)} diálogos" in GUIDE
    assert f"{answers} respostas verificadas" in GUIDE
    best = max(sum(map(all, found.values())) for found in trivial_verdicts(builtin_skills()).values())
    assert f"passa {100 * best / len(scenarios):.0f} % dos diálogos" in " ".join(GUIDE.split())
