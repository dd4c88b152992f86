"""`luna train --prepare`: reads and tokenises the data of a recipe ahead of training, and says what is in it.

The tokens stay in the cache of `lunagpt.data.token_cache`, where the training finds them: minutes of a rented
GPU are not spent on reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lunagpt.models.from_base import tokenizer_of
from lunagpt.tokenizer import LunaTokenizer
from lunagpt.training.recipe import read_recipe


@dataclass(frozen=True)
class PreparedSource:
    """A source of the mixture.

    Attributes:
        examples: documents or dialogues.
        tokens: of all of them.
        dropped: dialogues too long for a row, which training leaves out.
        share: of the training tokens that come from it.
        passes: how often training reads it, where the recipe says how long it trains; else None.
    """

    name: str
    examples: int
    tokens: int
    dropped: int
    share: float
    passes: float | None


def prepare(
    recipe_path: str | Path,
    *,
    preset: str | None = None,
    data_root: str | Path | None = None,
    base_model: str | Path | None = None,
    max_steps: int | None = None,
    changes: list[str] | None = None,
) -> tuple[list[PreparedSource], int | None]:
    """Tokenises sources and validation sets.

    Args:
        recipe_path, preset, data_root, changes: see `read_recipe`.
        base_model: what training will start from, over the recipe's: the tokens are those of its tokenizer.
        max_steps: over the recipe's.

    Returns:
        The sources in the recipe's order, and the tokens that training will read (None: until it is stopped).

    Raises:
        LunaError: the recipe or its data cannot be used.
    """
    recipe = read_recipe(recipe_path, preset, data_root, changes or [])
    base = base_model or recipe.base_model
    tokenizer = LunaTokenizer.default() if base is None else tokenizer_of(base, recipe.config)
    dataset = recipe.train_dataset(tokenizer)
    recipe.validation_set(tokenizer)
    training = recipe.config.training
    steps = max_steps or recipe.num_steps(dataset)
    per_step = training.batch_size * training.sequence_length * training.gradient_accumulation_steps
    planned = None if steps is None else steps * per_step
    total_weight = sum(spec.weight for spec in dataset.specs)
    sources = []
    for spec, (name, size) in zip(dataset.specs, dataset.sizes().items(), strict=True):
        share = spec.weight / total_weight
        passes = None if planned is None else share * planned / max(1, size["slots"])
        sources.append(PreparedSource(name, size["examples"], size["tokens"], size["dropped"], share, passes))
    return sources, planned
