"""Who answers: LunaModel in this process, behind one protocol."""

from lunagpt.engines.base import (
    AnswerReport,
    AnswerStream,
    ConditionedEngine,
    Engine,
    FinishReason,
    Message,
)
from lunagpt.engines.luna import LunaEngine

__all__ = [
    "AnswerReport",
    "AnswerStream",
    "ConditionedEngine",
    "Engine",
    "FinishReason",
    "LunaEngine",
    "Message",
]
