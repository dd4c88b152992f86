"""Files made to do harm: none gets past its limits, and the next file is read as if nothing had happened."""

from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.loader_samples import report_docx

from lunagpt.data.loaders import Limits, load_file
from lunagpt.data.loaders import problems as texts
from lunagpt.data.loaders import sandbox as sandbox_module
from lunagpt.data.loaders.problems import FileProblem
from lunagpt.data.loaders.sandbox import Sandbox, SandboxError
from lunagpt.data.loaders.worker import answer, limit_process
from lunagpt.errors import DataError

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
POSIX = pytest.mark.skipif(os.name != "posix", reason="o sistema não tem este limite")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(Limits(wall_seconds=60, nodes=200_000))
    yield sandbox
    sandbox.close()


def problem_of(sandbox: Sandbox, path: Path) -> str:
    with pytest.raises(FileProblem) as caught:
        sandbox.parse(path, path.name, path.suffix[1:])
    return str(caught.value)


def works(sandbox: Sandbox, folder: Path) -> bool:
    path = folder / "bom.txt"
    path.write_text("texto de sempre", encoding="utf-8")
    return sandbox.parse(path, path.name, "txt")[0][0].content == "texto de sempre"


def docx_of(parts: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in parts.items():
            target.writestr(name, content)
    return stream.getvalue()


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
HOSTILE = {
    "bomba.docx": (docx_of({"word/document.xml": b"<a>" + b" " * (30 << 20)}), texts.ZIP_TOO_BIG),
    "partes.docx": (docx_of({f"p{n}": b"" for n in range(2_100)}), texts.ZIP_TOO_MANY),
    "fundo.docx": (
        docx_of(
            {
                "word/document.xml": b"<w:p xmlns:w='%b'>" % W.encode()
                + b"<w:x>" * 5000
                + b"</w:x>" * 5000
                + b"</w:p>"
            }
        ),
        "tem mais de",
    ),
    "risos.xml": (f'<!DOCTYPE l [<!ENTITY l0 "ha">{LAUGHS}]><l>&l9;</l>'.encode(), texts.ENTITIES),
    "risos16.xml": (f'<!DOCTYPE l [<!ENTITY l0 "ha">{LAUGHS}]><l>&l9;</l>'.encode("utf-16"), texts.ENTITIES),
    "fora.xml": (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', texts.ENTITIES),
    "fundo.xml": (b"<a>" * 200_000 + b"</a>" * 200_000, texts.TOO_DEEP),
    "fundo.json": (b"[" * 500_000 + b"]" * 500_000, texts.TOO_DEEP),
    "fundo2.json": (b'{"a":' * 300 + b"1" + b"}" * 300, texts.TOO_DEEP),
    "fundo.jsonl": (b"[" * 500_000 + b"\n", texts.BROKEN_ROWS),
    "fundo.yaml": (b"[" * 100_000, texts.BROKEN),
    "fundo2.yaml": (b"- " * 100_000 + b"a", texts.TOO_DEEP),
    "apelidos.yaml": (
        (
            "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
        ).encode(),
        texts.TOO_MANY_NODES,
    ),
    "roda.yaml": (b"a: &a\n  b: *a\n", texts.BROKEN),
    "fundo.html": (b"<div>" * 100_000 + b"oi", texts.TOO_DEEP),
    "fundo.md": (b"> " * 50_000 + b"oi", None),
    "linha.csv": (b"a,b\n" + b"x" * (8 << 20) + b",1\n", None),
    "linha.txt": (b"x" * (8 << 20), None),
    "colchetes.md": (b"[" * 50_000 + b"]" * 50_000, None),
    "atributos.html": (b"<p " + b"a=1 " * 200_000 + b">oi", None),
    "comentario.html": (b"<!--" * 100_000 + b"<p>oi", None),
    "nada.pdf": (
        b"%PDF-1.4\n" + b"1 0 obj\n<</Kids[1 0 R]/Type/Pages/Count 1000000000>>\nendobj\n" * 1000,
        texts.BROKEN,
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(name: str, sandbox: Sandbox, tmp_path: Path) -> None:
    data, expected = HOSTILE[name]
    path = tmp_path / name
    path.write_bytes(data)
    if expected is not None:
        assert problem_of(sandbox, path).startswith(expected.split("{")[0])
    else:  # read or refused, so long as it ends
        try:
            sandbox.parse(path, path.name, path.suffix[1:])
        except FileProblem as problem:
            known = (texts.TOO_DEEP, texts.NO_TEXT, texts.BROKEN)
            outcome = str(problem).startswith(tuple(text.split("{")[0] for text in known))
            assert outcome, problem  # noqa: PT017
    assert works(sandbox, tmp_path)


def test_a_zip_header_that_lies(sandbox: Sandbox, tmp_path: Path) -> None:
    """The sizes in the directory say 100 bytes; the data has 30 MB."""
    data = bytearray(docx_of({"word/document.xml": b"<a>" + b" " * (30 << 20)}))
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = data.index(signature) + place
        data[start : start + 4] = (100).to_bytes(4, "little")
    path = tmp_path / "mentira.docx"
    path.write_bytes(data)
    assert "não pôde ser lida" in problem_of(sandbox, path)


@pytest.mark.skipif(sys.platform != "linux", reason="só o Linux limita a memória de um processo assim")
def test_memory_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "lista.json"
    path.write_bytes(b"[" + b"[],[1.5]," * 1_500_000 + b"1]")
    sandbox = Sandbox(Limits(memory_bytes=150 << 20, nodes=10**9))
    assert problem_of(sandbox, path) == texts.MEMORY
    assert works(sandbox, tmp_path)
    sandbox.close()


def slow_file(folder: Path) -> Path:
    path = folder / "lento.html"
    path.write_bytes(b"<p>a <b>b</b> c" * 1_500_000)
    return path


@POSIX
def test_processor_time_is_bounded(tmp_path: Path) -> None:
    sandbox = Sandbox(Limits(cpu_seconds=0, wall_seconds=60))
    assert problem_of(sandbox, slow_file(tmp_path)).startswith("demorou mais de 0 segundos")
    assert works(sandbox, tmp_path)
    sandbox.close()


def test_time_on_the_clock_is_bounded(tmp_path: Path) -> None:
    path = slow_file(tmp_path)
    sandbox = Sandbox(Limits(wall_seconds=0.3))
    assert problem_of(sandbox, path) == texts.TIME.format(limit="0,3")
    sandbox.close()


def test_a_child_that_dies_is_replaced(sandbox: Sandbox, tmp_path: Path) -> None:
    assert works(sandbox, tmp_path)
    child = sandbox._child
    assert child is not None
    child.kill()
    child.wait()
    assert works(sandbox, tmp_path)
    assert sandbox._child is not child


def test_a_child_that_dies_over_a_file(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sandbox_module._write_line

    def kill_first(child: object, message: object) -> None:
        real(child, message)  # type: ignore[arg-type]
        child.kill()  # type: ignore[attr-defined]

    works(sandbox, tmp_path)
    monkeypatch.setattr(sandbox_module, "_write_line", kill_first)
    path = slow_file(tmp_path)
    assert problem_of(sandbox, path) == texts.CRASHED
    monkeypatch.undo()
    assert works(sandbox, tmp_path)


@pytest.mark.parametrize(
    "program",
    [
        "import sys; sys.exit('não começo')",
        "print('lixo')",
        "import sys; sys.stdout.buffer.write(b'\\xff' * 20)",
    ],
)
def test_a_child_that_does_not_start(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_module, "_PROGRAM", program)
    with pytest.raises(SandboxError, match="não começou"):
        works(Sandbox(Limits()), tmp_path)


@pytest.mark.parametrize("reply", [{}, {"documents": [3], "notes": []}, {"documents": 1, "notes": 2}])
def test_a_child_that_was_taken_over_gives_no_documents(
    reply: object, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works(sandbox, tmp_path)
    monkeypatch.setattr(sandbox_module, "_read_answer", lambda child: reply)
    path = tmp_path / "bom.txt"
    assert problem_of(sandbox, path) == texts.CRASHED
    monkeypatch.undo()
    assert works(sandbox, tmp_path)


def test_modules_in_the_current_folder_are_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "csv", "yaml", "re", "lunagpt"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('executado')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    sandbox = Sandbox(Limits())
    assert works(sandbox, tmp_path)
    sandbox.close()


@POSIX
def test_the_child_cannot_write_files(tmp_path: Path) -> None:
    code = (
        "import sys; from lunagpt.data.loaders.worker import limit_process; limit_process(1 << 30)\n"
        "f = open(sys.argv[1], 'w'); f.write('x'); f.flush()"
    )
    import subprocess

    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x")], capture_output=True, text=True, check=False
    )
    assert "File too large" in result.stderr


def test_systems_without_these_limits_work_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    limit_process(1)


def test_a_mistake_of_a_reader_is_a_problem_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("lunagpt.data.loaders.worker.parse_file", stumble)
    assert answer("x.txt", "x.txt", "txt", Limits()) == {
        "problem": "tem um conteúdo que o leitor não esperava (KeyError)"
    }


@POSIX
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/tty", "/dev/stdin"])
def test_devices_are_not_read(device: str, tmp_path: Path) -> None:
    (tmp_path / "x.txt").symlink_to(device)
    with pytest.raises(DataError, match=r"não é um arquivo comum|não pôde ser aberto|não existe"):
        load_file(tmp_path / "x.txt")


@POSIX
def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "cano.txt")
    with pytest.raises(DataError, match="não é um arquivo comum"):
        load_file(tmp_path / "cano.txt")  # whoever opened it would wait for ever


def test_large_files_are_refused_by_their_size(tmp_path: Path) -> None:
    path = tmp_path / "grande.txt"
    with open(path, "wb") as stream:
        stream.truncate(3 << 20)
    with pytest.raises(DataError, match=r"tem 3,0 MB, e o limite é 1,0 MB"):
        load_file(path, limits=Limits(file_bytes=1 << 20))


def test_answers_are_data_and_not_code() -> None:
    reply = answer(__file__, "x", "txt", Limits())
    assert json.loads(json.dumps(reply)) == reply


def test_documents_of_a_child_equal_those_read_here(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "relatório.docx"
    path.write_bytes(report_docx())
    assert load_file(path) == load_file(path, sandboxed=False)
