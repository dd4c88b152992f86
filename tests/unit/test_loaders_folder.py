"""Folders: what is found, what is skipped, one result a file, the summary that people read."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.unit.loader_samples import Pdf, PdfPage, samples

from lunagpt.data.loaders import (
    SUPPORTED,
    FileResult,
    Limits,
    LoadSummary,
    find_files,
    load_file,
    load_files,
    load_folder,
)
from lunagpt.errors import DataError

POSIX = pytest.mark.skipif(os.name != "posix", reason="nomes e atalhos de sistemas POSIX")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "documentos"
    (root / "sub" / "mais").mkdir(parents=True)
    for kind, data in samples().items():
        (root / f"amostra.{kind}").write_bytes(data)
    (root / "sub" / "Ação & reação (cópia).TXT").write_text("Texto do anexo.", encoding="utf-8")
    (root / "sub" / "mais" / "velho.htm").write_bytes("<p>À noite".encode("cp1252"))
    (root / "scan.pdf").write_bytes(Pdf([PdfPage(image=True)]).build())
    (root / "vazio.md").touch()
    (root / "foto.jpg").write_bytes(b"\xff\xd8\xff")
    (root / "LEIAME").write_text("x", encoding="utf-8")
    (root / "~$relatorio.docx").write_bytes(b"x")
    (root / ".git").mkdir()
    (root / ".git" / "config.txt").write_text("x", encoding="utf-8")
    (root / ".oculto.txt").write_text("x", encoding="utf-8")
    return root


def test_every_file_has_a_result(folder: Path) -> None:
    results = list(load_folder(folder))
    assert [result.id for result in results] == sorted(result.id for result in results)
    by_id = {result.id: result for result in results}
    for kind in SUPPORTED:
        result = by_id.pop(f"amostra.{kind}")
        assert result.problem is None
        assert result.documents
        assert all(document.metadata["file_type"] == kind for document in result.documents)
    assert by_id["sub/Ação & reação (cópia).TXT"].documents[0].content == "Texto do anexo."
    assert by_id["sub/mais/velho.htm"].documents[0].content == "À noite"
    assert "OCR" in str(by_id["scan.pdf"].problem)
    assert by_id["vazio.md"].problem == "está vazio"
    assert by_id["foto.jpg"].skipped == "formato não lido (.jpg)"
    assert by_id["LEIAME"].skipped == "nome sem extensão"
    assert by_id["~$relatorio.docx"].skipped == "arquivo temporário"
    assert len(by_id) == 7


def test_several_children_give_the_same(folder: Path) -> None:
    files = find_files(folder)
    assert list(load_files(files, workers=3)) == list(load_files(files, workers=1))


def test_only_some_types_and_not_the_folders_below(folder: Path) -> None:
    found = [file.id for file in find_files(folder, recursive=False, file_types=["pdf", ".TXT", "*.htm"])]
    assert found == ["amostra.html", "amostra.pdf", "amostra.txt", "scan.pdf"]
    with pytest.raises(DataError, match='O formato "odt" não é lido'):
        load_folder(folder, file_types=["odt"])


def test_what_is_no_folder(folder: Path) -> None:
    with pytest.raises(DataError, match="Não encontrei a pasta"):
        load_folder(folder / "nada")
    with pytest.raises(DataError, match="é um arquivo, e não uma pasta"):
        find_files(folder / "amostra.txt")


def test_size_and_time_tell_changed_files(folder: Path) -> None:
    before = {file.id: (file.size, file.modified) for file in find_files(folder)}
    (folder / "amostra.txt").write_text("outro texto", encoding="utf-8")
    after = {file.id: (file.size, file.modified) for file in find_files(folder)}
    assert {name for name in after if after[name] != before[name]} == {"amostra.txt"}


def test_files_that_vanish_meanwhile(folder: Path) -> None:
    files = find_files(folder, file_types=["txt"])
    (folder / "amostra.txt").unlink()
    first, second = load_files(files)
    assert first.problem == "não existe; confira o caminho"
    assert second.documents


def test_who_stops_early_leaves_no_child_behind(folder: Path) -> None:
    results = load_folder(folder, workers=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(list(load_folder(folder))) == 17


@POSIX
def test_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "segredo.txt").write_text("fora da pasta", encoding="utf-8")
    (folder / "fora.txt").symlink_to(tmp_path / "segredo.txt")
    (folder / "sub" / "volta").symlink_to(folder)
    (folder / "quebrado.txt").symlink_to("nada")
    skipped = {file.id for file in find_files(folder) if file.skipped and "atalho" in file.skipped}
    assert skipped == {"fora.txt", "sub/volta", "quebrado.txt"}
    assert all("fora da pasta" not in d.content for r in load_folder(folder) for d in r.documents)
    link = tmp_path / "atalho"
    link.symlink_to(folder)
    assert [file.id for file in find_files(link)] == [file.id for file in find_files(folder)]


@POSIX
def test_a_file_that_becomes_a_link_meanwhile_is_not_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "segredo.txt").write_text("fora da pasta", encoding="utf-8")
    files = find_files(folder, file_types=["txt"])
    (folder / "amostra.txt").unlink()
    (folder / "amostra.txt").symlink_to(tmp_path / "segredo.txt")
    assert "não é um arquivo comum" in str(next(load_files(files)).problem)


@POSIX
def test_pipes_are_skipped(folder: Path) -> None:
    os.mkfifo(folder / "cano.txt")
    assert next(r for r in load_folder(folder) if r.id == "cano.txt").skipped == "não é um arquivo comum"


@POSIX
def test_deep_folders(tmp_path: Path) -> None:
    path = tmp_path
    for _ in range(70):
        path = path / "p"
    path.mkdir(parents=True)
    (path / "x.txt").write_text("x", encoding="utf-8")
    assert [file.skipped for file in find_files(tmp_path)] == ["pasta aninhada demais"]


@pytest.mark.skipif(sys.platform != "linux", reason="só o Linux aceita estes nomes")
def test_odd_names(tmp_path: Path) -> None:
    names = [
        b"quebra\nde linha.txt",
        b"invalido\xff.txt",
        b"-rf.txt",
        " espaço .txt".encode(),
        "e\u0301 decomposto.txt".encode(),
        "exe\u202ecod.txt".encode(),
        "😀.txt".encode(),
        b"x" * 250 + b".txt",
        b"a\\b;c'd\"e$(f).txt",
    ]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as stream:
            stream.write(b"conteudo")
    summary = LoadSummary()
    ids = set()
    for result in load_folder(tmp_path):
        assert result.problem is None, result
        (document,) = result.documents
        document.id.encode("utf-8")
        assert document.title.isprintable()
        ids.add(document.id)
        summary.add(FileResult(result.path, result.id, problem="x"))
    assert len(ids) == len(names)
    assert "invalido\\xff.txt" in ids
    text = str(summary)
    assert text.count("\n") == 2 + len(names)
    assert "\u202e" not in text


@POSIX
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="quem administra lê tudo")
def test_forbidden_files(folder: Path) -> None:
    (folder / "amostra.txt").chmod(0)
    (folder / "sub").chmod(0)
    try:
        results = {result.id: result for result in load_folder(folder)}
    finally:
        (folder / "sub").chmod(0o700)
    assert results["amostra.txt"].problem == "não pôde ser aberto: falta permissão de leitura"
    assert results["sub/"].skipped == "pasta que o sistema não deixou abrir"


def test_load_file(folder: Path, tmp_path: Path) -> None:
    path = folder / "sub" / "Ação & reação (cópia).TXT"
    assert load_file(path)[0].id == "Ação & reação (cópia).TXT"
    assert load_file(path, root=folder)[0].id == "sub/Ação & reação (cópia).TXT"
    assert load_file(path, root=tmp_path / "outra")[0].id == "Ação & reação (cópia).TXT"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vazio.md", r'O arquivo ".*vazio.md" está vazio\.'),
        ("nada.txt", r'O arquivo ".*nada.txt" não existe; confira o caminho\.'),
        ("foto.jpg", r'O arquivo ".*foto.jpg" tem um formato que não é lido; formatos lidos: txt, md, pdf'),
        ("scan.pdf", r'O arquivo ".*scan.pdf" é um PDF escaneado'),
    ],
)
def test_load_file_says_what_is_wrong(name: str, message: str, folder: Path) -> None:
    with pytest.raises(DataError, match=message):
        load_file(folder / name)


def test_summary(folder: Path) -> None:
    (folder / "foto2.jpg").touch()
    (folder / "kb.jsonl").write_text('{"content": "um"}\nlixo\n', encoding="utf-8")
    summary = LoadSummary()
    for result in load_folder(folder):
        summary.add(result)
    characters = f"{summary.characters:,}".replace(",", ".")
    assert str(summary) == (
        "13 arquivos lidos (1 csv, 1 docx, 2 html, 1 json, 2 jsonl, 1 md, 1 pdf, 2 txt, 1 xml, 1 yaml): "
        f"14 documentos, {characters} caracteres.\n\n"
        "2 arquivos não puderam ser lidos:\n"
        "  scan.pdf: é um PDF escaneado, só com imagens: precisa de OCR. Passe por um programa de OCR (por "
        'exemplo, "ocrmypdf -l por entrada.pdf saida.pdf") e tente de novo\n'
        "  vazio.md: está vazio\n\n"
        "1 aviso sobre o que foi lido:\n"
        "  kb.jsonl: 1 de 2 linhas não puderam ser lidas (a primeira: linha 2, coluna 1: não é um JSON "
        "válido)\n\n"
        "4 arquivos pulados:\n"
        "  formato não lido (.jpg): foto.jpg, foto2.jpg\n"
        "  arquivo temporário: ~$relatorio.docx\n"
        "  nome sem extensão: LEIAME"
    )
    assert summary.files == 19


def test_summaries_of_little(tmp_path: Path) -> None:
    assert str(LoadSummary()) == "Não há arquivos nesta pasta."
    summary = LoadSummary()
    summary.add(FileResult(tmp_path / "a.zip", "a.zip", skipped="formato não lido (.zip)"))
    assert str(summary) == ("Nenhum arquivo foi lido.\n\n1 arquivo pulado:\n  formato não lido (.zip): a.zip")


def test_a_program_without_a_main_guard_can_load(tmp_path: Path) -> None:
    """The child must not run the user's program again, as multiprocessing would."""
    (tmp_path / "nota.txt").write_text("Olá", encoding="utf-8")
    program = tmp_path / "programa.py"
    program.write_text(
        "print('início')\nfrom lunagpt.data.loaders import load_file\n"
        "print(load_file('nota.txt')[0].content)",
        encoding="utf-8",
    )
    result = subprocess.run(
        [sys.executable, str(program)], cwd=tmp_path, capture_output=True, encoding="utf-8", check=True
    )
    assert result.stdout.split() == ["início", "Olá"]


def test_the_page_about_formats_tells_the_truth(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "formatos.md").read_text(encoding="utf-8")
    assert not [ending for endings in SUPPORTED.values() for ending in endings if f"`{ending}`" not in page]
    assert not [name for name in asdict(Limits()) if f"`{name}`" not in page and name != "zip_ratio"]
    monkeypatch.chdir(folder.parent)
    code = page.split("```python\n")[1].split("```")[0]
    names: dict[str, object] = {}
    exec(code, names)
    assert str(names["summary"]).startswith("12 arquivos lidos")
