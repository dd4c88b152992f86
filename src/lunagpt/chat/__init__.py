"""Conversation: messages in, answers out."""

from lunagpt.chat.luna_chat import LunaChat
from lunagpt.chat.report import ChatReport
from lunagpt.chat.turn import Turn

__all__ = ["ChatReport", "LunaChat", "Turn"]
