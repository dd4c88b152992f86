"""What an engine's model was trained to do, as far as the conversation must know."""

from __future__ import annotations

from lunagpt.engines import Engine, LunaEngine


def reads_passages(engine: Engine) -> bool:
    """Whether an engine answers well from passages: its model's configuration says so for a Luna; another
    engine may say so itself, and else it is assumed."""
    if isinstance(engine, LunaEngine):
        return engine.model.config.model.answers_from_passages
    return bool(getattr(engine, "answers_from_passages", True))


def decides_to_think(engine: Engine) -> bool:
    """Whether an engine's model was trained to decide when to think; as for `reads_passages`, but another
    engine that does not say so is taken for one that does not."""
    if isinstance(engine, LunaEngine):
        return engine.model.config.model.decides_to_think
    return bool(getattr(engine, "decides_to_think", False))
