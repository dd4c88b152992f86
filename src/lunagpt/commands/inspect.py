"""`luna inspect experts`: which tokens go to which experts, and what emotions have to do with it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lunagpt.commands import texts
from lunagpt.commands.files import read_text
from lunagpt.commands.opening import load_model, model_folder
from lunagpt.commands.usage import UsageProblem
from lunagpt.config import LunaConfig
from lunagpt.errors import DataError, missing_extra
from lunagpt.reporting.numbers import decimal, number

if TYPE_CHECKING:
    from lunagpt.evaluation.expert_use import ExpertUse, LayerUse
    from lunagpt.models.emotions import EmotionReading

_WIDTH = 80
_NOTABLE = 1.25  # a kind of token is named from this lift on
_SHOWN_KINDS = 3
_ARTICLES = 60  # more than the default number of tokens
_BAR = 30  # columns of a certain emotion


def run_inspect_experts(
    chosen: Path | None, *, text: str | None, file: Path | None, layers: Sequence[int] | None, max_tokens: int
) -> int:
    """Prints what the experts of a model do with a text.

    Returns:
        0.

    Raises:
        LunaError: the model has no experts, or the model or the text cannot be read.
        UsageProblem: the options do not go together.
        MissingDependencyError: torch is not installed.
    """
    if text is not None and file is not None:
        raise UsageProblem(texts.INSPECT_ONE_TEXT)
    try:
        from lunagpt.evaluation.expert_use import inspect_experts
        from lunagpt.models.emotions import read_emotions
    except ModuleNotFoundError as error:
        raise missing_extra(error.name or "torch", "torch", texts.TO_INSPECT) from error
    config = LunaConfig.from_environment()
    model = load_model(model_folder(chosen, config), config)
    read, source = _text(text, file)
    found = inspect_experts(model, read, max_tokens)
    numbers = [layer.layer for layer in found]
    for layer in layers or []:
        if layer not in numbers:
            listed = ", ".join(map(str, numbers))
            raise DataError(texts.INSPECT_NO_LAYER.format(layer=layer, layers=listed))
    ids = model.tokenizer.encode_content(read)[:max_tokens]
    print(texts.INSPECT_HEADING.format(model=model.config.model.name, tokens=len(ids), source=source))
    for use in found:
        if not layers or use.layer in layers:
            print()
            print("\n".join(_layer_lines(use)))
    if model.config.model.emotional_routing and (text is not None or file is not None):
        print()
        print("\n".join(_emotion_lines(read_emotions(model, model.tokenizer.decode(ids)))))
    print()
    print(textwrap.fill(texts.INSPECT_LEGEND, _WIDTH))
    return 0


def _text(text: str | None, file: Path | None) -> tuple[str, str]:
    """What to read, and where it is from."""
    if text is not None:
        return text, texts.INSPECT_FROM_TEXT
    if file is not None:
        return read_text(file), str(file)
    from lunagpt.rag.encyclopedia import built_in

    return "\n\n".join(built_in().texts(_ARTICLES)), texts.INSPECT_FROM_ENCYCLOPEDIA


def _layer_lines(use: LayerUse) -> list[str]:
    dead = (
        texts.INSPECT_DEAD.format(dead=", ".join(map(str, use.dead))) if use.dead else texts.INSPECT_NO_DEAD
    )
    violation = number(100 * use.violation, 0)
    lines = [
        texts.INSPECT_LAYER_HEADING.format(
            layer=use.layer, experts=len(use.experts), violation=violation, dead=dead
        )
    ]
    for place, expert in enumerate(use.experts):
        load = number(100 * expert.load, 1)
        lines.append(
            texts.INSPECT_EXPERT.format(number=place, load=load, categories=_categories(expert)).rstrip()
        )
        if expert.tokens:
            shown = " ".join(_shown(token.text) for token in expert.tokens)
            lines.append(texts.INSPECT_TOKENS.format(tokens=shown))
    return lines


def _categories(expert: ExpertUse) -> str:
    if not expert.load:
        return texts.INSPECT_IDLE
    notable = sorted(
        ((lift, name) for name, lift in expert.categories.items() if lift >= _NOTABLE), reverse=True
    )
    return (
        ", ".join(
            f"{texts.INSPECT_CATEGORIES[name]} {decimal(lift, 1)}×" for lift, name in notable[:_SHOWN_KINDS]
        )
        or texts.INSPECT_EVEN
    )


def _shown(token: str) -> str:
    """A token on the screen: spaces and line ends are visible, nothing steers the terminal."""
    visible = token.replace("\n", "↵").replace("\t", "⇥")
    visible = "".join(c if c.isprintable() else "·" for c in visible)
    return f'"{visible}"' if visible.startswith(" ") else visible


def _emotion_lines(reading: EmotionReading) -> list[str]:
    from lunagpt.data.traits import EMOTION_LABELS

    probabilities = reading.probabilities
    lines = [texts.INSPECT_EMOTIONS]
    if max(probabilities.values()) - min(probabilities.values()) < 1e-6:
        lines.append(texts.INSPECT_UNTRAINED)
    for name, probability in sorted(probabilities.items(), key=lambda item: -item[1]):
        bar = "█" * round(_BAR * probability)
        percent = number(100 * probability, 1)
        lines.append(f"  {EMOTION_LABELS[name]:12} {percent:>5} %  {bar}".rstrip())
    lines.append(texts.INSPECT_INFLUENCE)
    for layer, shares in zip(reading.layers, reading.influence, strict=True):
        moved = sorted(enumerate(100 * shares), key=lambda item: -item[1])
        changes = ", ".join(
            f"{place}: {number(change, 1, signed=True, minus='-')}"
            for place, change in moved
            if abs(change) >= 0.05
        )
        lines.append(
            texts.INSPECT_INFLUENCE_LINE.format(layer=layer, changes=changes or texts.INSPECT_NO_INFLUENCE)
        )
    return lines
