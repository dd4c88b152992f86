"""The optional judge, against a server that runs in the test."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.unit.test_model import make_model

from lunagpt import cli
from lunagpt.errors import EvaluationError
from lunagpt.evaluation.behaviours.judge import OpenAIServer, judge_report
from lunagpt.evaluation.behaviours.report import BehaviourReport, JudgedTurn, Transcript


@contextmanager
def server(*replies: tuple[int, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that gives `replies` (status, body) in turn, then the last; yields address and requests."""
    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append({"path": self.path, "key": self.headers.get("Authorization"), **json.loads(body)})
            status, reply = replies[min(len(received), len(replies)) - 1]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(reply if isinstance(reply, bytes) else json.dumps(reply).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_port}/v1", received
    finally:
        running.shutdown()
        running.server_close()


def saying(text: str) -> tuple[int, Any]:
    return 200, {"choices": [{"message": {"role": "assistant", "content": text}}]}


def report(*passed: bool) -> BehaviourReport:
    transcripts = tuple(
        Transcript(
            f"c{i}",
            "contas",
            None,
            (JudgedTurn("Quanto é 2 + 2?", "4" if good else "5", True, "stop", () if good else ("errado",)),),
        )
        for i, good in enumerate(passed)
    )
    return BehaviourReport("luna", "comportamentos", {"contas": "Contas"}, transcripts, {}, 1.0)


def test_grades_are_asked_for_and_read() -> None:
    with server(
        saying('Aqui está: {"motivo": "Certo e curto.", "nota": 5}'),
        saying('{"motivo": "Errado.", "nota": 1}'),
    ) as (address, received):
        judgement = judge_report(report(True, False), OpenAIServer(address, "juiz-grande", api_key="segredo"))
    assert [grade.grade for grade in judgement.grades] == [5, 1]
    assert judgement.grades[0].reason == "Certo e curto."
    assert (judgement.mean, judgement.agreement, judgement.unreadable) == (3.0, 1.0, 0)
    assert judgement.low <= 3.0 <= judgement.high
    assert received[0]["path"] == "/v1/chat/completions"
    assert received[0]["key"] == "Bearer segredo"
    assert received[0]["model"] == "juiz-grande"
    assert received[0]["temperature"] == 0
    assert "Pessoa: Quanto é 2 + 2?\nLuna: 4" in received[0]["messages"][1]["content"]


def test_an_unreadable_grade_is_asked_for_once_more_and_then_counted() -> None:
    with server(saying("Muito bom!"), saying('{"nota": 9}'), saying('{"nota": 4}')) as (address, received):
        judgement = judge_report(report(False, False), OpenAIServer(address, "m"))
    assert len(received) == 3
    assert judgement.unreadable == 1
    assert [grade.id for grade in judgement.grades] == ["c1"]
    assert judgement.agreement is None


def test_a_judge_without_any_grade_is_an_error() -> None:
    with server(saying("Não sei.")) as (address, _), pytest.raises(EvaluationError, match="nota legível"):
        judge_report(report(True), OpenAIServer(address, "m"))


def test_the_limit_draws_transcripts() -> None:
    with server(saying('{"nota": 3}')) as (address, received):
        judgement = judge_report(report(*[True] * 9), OpenAIServer(address, "m"), limit=4, seed=1)
    assert len(received) == len(judgement.grades) == 4


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ((401, {"error": "bad key"}), "401"),
        ((200, {"choices": []}), "forma da API"),
        ((200, b"<html>"), "forma da API"),
    ],
)
def test_a_server_that_errs_is_an_error(reply: tuple[int, Any], message: str) -> None:
    with server(reply) as (address, _), pytest.raises(EvaluationError, match=message):
        judge_report(report(True), OpenAIServer(address, "m"))


def test_a_server_that_is_not_there_is_an_error() -> None:
    with socket.socket() as taken:  # nobody else gets this port, and nobody listens on it
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(EvaluationError, match="no ar"):
            OpenAIServer(address, "m", timeout=5)([])
    with pytest.raises(EvaluationError, match="http://"):
        OpenAIServer("localhost:8000", "m")


def test_the_command_prints_and_saves_the_grades(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_model().save(tmp_path / "m")
    monkeypatch.setenv("LUNA_JUDGE_API_KEY", "segredo")
    command = ["evaluate", str(tmp_path / "m"), "--suite", "comportamentos", "--limit", "3"]
    with server(saying('{"motivo": "Não diz nada.", "nota": 1}')) as (address, received):
        judge = ["--judge", address, "--judge-model", "grande", "--json", str(tmp_path / "r.json")]
        assert cli.main([*command, *judge]) == 0
    assert received[0]["key"] == "Bearer segredo"
    assert "Juiz grande: nota média 1,00 de 5 (95 %: 1,00 a 3,25), 3 diálogos." in capsys.readouterr().out
    saved = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert [grade["grade"] for grade in saved["judge"]["grades"]] == [1, 1, 1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--suite", "comportamentos", "--judge", "http://localhost:1/v1"], "--judge-model"),
        (["--judge", "http://localhost:1/v1", "--judge-model", "m"], "--suite comportamentos"),
    ],
)
def test_a_judge_that_is_half_named_or_out_of_place_is_refused(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["evaluate", "luna-nano", *options]) == 2
    assert said in re.sub(r"\s+", " ", capsys.readouterr().err)
