"""Answers that stand on passages: rewriting the question, quoting, checking, refusing."""

from lunagpt.chat.grounding.answers import Citation, GroundedAnswer, Problem
from lunagpt.chat.grounding.check import check_answer
from lunagpt.chat.grounding.extractive import extractive_answer
from lunagpt.chat.grounding.follow_up import rewrite_follow_up
from lunagpt.chat.grounding.refusal import refusal_text
from lunagpt.chat.grounding.router import Intent, intent_of

__all__ = [
    "Citation",
    "GroundedAnswer",
    "Intent",
    "Problem",
    "check_answer",
    "extractive_answer",
    "intent_of",
    "refusal_text",
    "rewrite_follow_up",
]
