"""Tasks: what is shown to a model, what counts as right, and where the rows are. Each is a small YAML file.

Adding a task needs no code: a file in `tasks/` (or in any folder given to `load_tasks`) with the fields of
`Task`. The fields are explained to users in docs/avaliacao.md.
"""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field, model_validator

from lunagpt.config.reading import read_settings
from lunagpt.config.section import Section
from lunagpt.errors import ConfigError, EvaluationError

Row = Mapping[str, Any]
Method = Literal["choice", "fill", "probe", "similarity", "retrieval", "generate", "text"]

#: What each method can measure.
METRICS: Mapping[str, tuple[str, ...]] = {
    "choice": ("accuracy", "macro_f1", "mass"),
    "fill": ("accuracy", "macro_f1"),
    "probe": ("accuracy", "macro_f1"),
    "similarity": ("pearson",),
    "retrieval": ("mrr", "recall_at_1", "recall_at_10"),
    "generate": ("f1", "exact_match", "answerable"),
    "text": ("bits_per_byte",),
}

# Fields that change what a model sees or how its answer is read.
_OF_PROMPT = (
    "method",
    "system",
    "prompt",
    "continuation",
    "choices",
    "normalize",
    "neutral",
    "shots",
    "gap",
    "gap_span",
    "score",
    "texts",
    "dialogue",
    "answer",
    "refusal",
    "stop",
    "max_new_tokens",
)


class ItemText(NamedTuple):
    """What a person reads of a row, and the right answer."""

    question: str
    expected: str


class Task(Section):
    """One task; see docs/avaliacao.md for what each field does."""

    name: str = Field(description="Nome curto, único.")
    title: str = Field(description="Nome nas tabelas, até 34 letras.", max_length=34)
    method: Method
    file: str | None = Field(None, description="Nome do arquivo de dados, sem a terminação.")
    kind: str | None = Field(None, description="Valor da coluna task; sem file, serve para qualquer arquivo.")
    metrics: list[str] = Field(description="Métricas; a primeira é a principal.", min_length=1)
    system: str = Field("", description="Mensagem de sistema, em diálogos.")
    prompt: str = Field("", description="O que vem antes da resposta.")
    continuation: str = Field(" {choice}", description="O que é medido depois do prompt.")
    choices: str = Field("choices", description="Coluna das alternativas.")
    labels: str | None = Field(None, description="Coluna de 0 e 1 que diz quais alternativas valem (mass).")
    normalize: Literal["bytes", "tokens", "none", "neutral"] = "bytes"
    neutral: str = Field("", description="Prompt sem a pergunta, para normalize: neutral.")
    shots: int = Field(0, ge=0, le=64, description="Exemplos resolvidos antes da pergunta.")
    gap: str = Field("____", description="Lacuna a preencher (fill).")
    gap_span: str | None = Field(None, description="Coluna [início, fim] da lacuna na lista tokens (fill).")
    score: Literal["all", "rest"] = Field(
        "all", description="Mede a alternativa e o resto, ou só o resto (fill)."
    )
    texts: list[str] = Field(default_factory=lambda: ["{context}"], min_length=1, max_length=2)
    dialogue: bool = Field(True, description="Pergunta como diálogo (generate).")
    answer: Literal["text", "number"] = "text"
    stop: list[str] = Field(
        default_factory=list, description="Onde acaba a resposta de quem só continua textos."
    )
    refusal: str = Field("", description="Frase que diz que não há resposta (generate).")
    max_new_tokens: int = Field(64, ge=1, le=4096)
    note: str = Field("", description="O que a tarefa mede, e os defeitos dela.")

    @model_validator(mode="after")
    def _consistent(self) -> Task:
        known = METRICS[self.method]
        unknown = [name for name in self.metrics if name not in known]
        if unknown:
            raise ValueError(f"{self.method} não dá {', '.join(unknown)}; dá: {', '.join(known)}")
        if self.answer == "number" and self.metrics != ["exact_match"]:
            raise ValueError("answer: number só dá exact_match")
        if self.file is None and self.kind is None:
            raise ValueError("a tarefa precisa de file (nome do arquivo) ou de kind (valor da coluna task)")
        if self.normalize == "neutral" and not self.neutral:
            raise ValueError("normalize: neutral precisa do texto neutral")
        return self

    @property
    def prompt_hash(self) -> str:
        """Twelve hexadecimal digits of the SHA-256 of all that decides what a model is shown."""
        shown = {name: getattr(self, name) for name in _OF_PROMPT}
        return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def capability(self) -> str:
        """What a model must be able to do, see `LanguageModel.capabilities`."""
        if self.method in ("probe", "similarity", "retrieval"):
            return "embed"
        return "generate" if self.method == "generate" else "loglikelihood"

    def for_file(self, stem: str) -> Task:
        """A copy of a task of a kind that is named after a file."""
        return self.model_copy(update={"name": stem, "title": stem[:34], "file": stem})

    def describe(self, row: Row) -> ItemText:
        """What a person would read of a row, and the right answer."""
        parts = [str(row[key]) for key in ("context", "question") if row.get(key)]
        choices = row.get(self.choices) or []
        parts += [f"{letter(i)}) {choice}" for i, choice in enumerate(choices)]
        return ItemText("\n".join(parts), expected_text(row))


# Columns of which a row may have none.
_USUAL = {"context": "", "question": ""}


def expected_text(row: Row) -> str:
    """The right answer of a row as text."""
    answer = row.get("answer")
    if answer is None or answer == "":
        answers = row.get("answers") or []
        return str(answers[0]) if answers else ""
    return str(answer)


def letter(index: int) -> str:
    """The letter of an alternative: 0 is A."""
    return string.ascii_uppercase[index] if index < 26 else str(index + 1)


def render(template: str, row: Row, **more: str) -> str:
    """Fills the fields of a template from a row; what a row lacks (None) is empty.

    White space at the beginning goes, so that a template may start with a part that some rows lack.

    Raises:
        EvaluationError: the template names a column that no row of this kind has, or the row has neither a
            context nor a question where the template asks for them.
    """
    asked = _fields(template) & set(_USUAL)
    if asked and not any(row.get(name) for name in asked):
        raise EvaluationError(
            f"A linha {row.get('id', '?')} não tem nada na coluna {' nem em '.join(sorted(asked))}, que o "
            "texto da tarefa pede. Corrija os dados ou o arquivo da tarefa."
        )
    options = "\n".join(f"{letter(i)}) {choice}" for i, choice in enumerate(row.get("choices") or []))
    values = {key: "" if value is None else value for key, value in row.items()}
    try:
        return template.format_map({**_USUAL, "options": options, **values, **more}).lstrip("\n")
    except (KeyError, IndexError, ValueError) as error:
        raise EvaluationError(
            f"O texto da tarefa pede a coluna {error}, que a linha {row.get('id', '?')} não tem. "
            "Corrija o arquivo da tarefa ou os dados."
        ) from None


@cache
def _fields(template: str) -> frozenset[str]:
    """The columns that a template names."""
    try:
        return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name)
    except ValueError:  # an unpaired brace: `render` says so
        return frozenset()


@cache
def _shipped() -> tuple[Task, ...]:
    return tuple(load_tasks(Path(str(resources.files("lunagpt.evaluation") / "tasks"))))


def shipped_tasks() -> list[Task]:
    """The tasks that come with the package, by name."""
    return list(_shipped())


def load_tasks(folder: str | Path) -> list[Task]:
    """Every task in the YAML files of a folder, sorted by file.

    A file may begin with `base: OTHER`: it then takes the fields of that file of the same folder and changes
    some of them.

    Raises:
        EvaluationError: a file cannot be read or a field is wrong; says which.
    """
    folder = Path(folder)
    paths = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    try:
        plain = {stem: read_settings(path) for stem, path in paths.items()}
    except ConfigError as error:
        raise EvaluationError(str(error)) from None
    tasks = []
    for stem, values in plain.items():
        base = values.pop("base", None)
        if base is not None and base not in plain:
            raise EvaluationError(f'A tarefa "{paths[stem]}" parte de "{base}", que não há na pasta.')
        fields = {**({} if base is None else plain[base]), **values}
        fields.pop("base", None)
        fields.setdefault("name", stem)
        if base is not None:
            fields["name"] = stem
        try:
            tasks.append(Task(**fields))
        except ConfigError as error:
            raise EvaluationError(f'Tarefa "{paths[stem]}": {error}') from None
    return tasks


def kind_of(row: Row) -> str:
    """The `task` column of a row, or, without one, what its columns say."""
    if row.get("task"):
        return str(row["task"])
    if row.get("choices"):
        return "multiple_choice"
    if row.get("context") and "answers" in row:
        return "extractive_qa"
    if row.get("question") and (row.get("answer") or row.get("answers")):
        return "generative_qa"
    return "text"


def select_tasks(names: Sequence[str], tasks: Sequence[Task]) -> list[Task]:
    """The tasks of these names, in their order.

    Raises:
        EvaluationError: one is unknown; names the nearest.
    """
    from difflib import get_close_matches

    by_name = {task.name: task for task in tasks}
    for name in names:
        if name not in by_name:
            near = get_close_matches(name, by_name, n=1)
            hint = f' Você quis dizer "{near[0]}"?' if near else " docs/avaliacao.md tem a lista delas."
            raise EvaluationError(f'Não há tarefa "{name}".{hint}')
    return [by_name[name] for name in names]
