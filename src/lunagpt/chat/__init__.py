"""Conversation: messages in, answers out."""

from lunagpt.chat.luna_chat import LunaChat
from lunagpt.chat.stages import Turn

__all__ = ["LunaChat", "Turn"]
