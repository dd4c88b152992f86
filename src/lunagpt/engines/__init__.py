"""Who answers: LunaModel in this process, behind one protocol."""

from lunagpt.engines.base import AnswerReport, AnswerStream, Engine, FinishReason, Message
from lunagpt.engines.luna import LunaEngine

__all__ = ["AnswerReport", "AnswerStream", "Engine", "FinishReason", "LunaEngine", "Message"]
