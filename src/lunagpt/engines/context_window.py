"""Fitting a dialogue into the context window of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lunagpt.engines.base import Message
from lunagpt.errors import GenerationError

if TYPE_CHECKING:
    from lunagpt.tokenizer import LunaTokenizer

# What stands in a message for the part that was cut out of its middle.
_GAP = "\n[…]\n"
# A message cut down to fewer tokens than this is not worth answering.
_LEAST_MESSAGE_TOKENS = 32
# When old turns must go, at least this part of the window is freed at once, so that the next few turns
# continue the same prefix and the engine need not read the whole dialogue again each time.
_DROP_STEP = 8


@dataclass(frozen=True, slots=True)
class FittedPrompt:
    """Token ids of a prompt, and what was left out to make it fit (see `AnswerReport`)."""

    ids: list[int]
    dropped_messages: int = 0
    skipped_tokens: int = 0


def fit_prompt(tokenizer: LunaTokenizer, messages: Sequence[Message], budget: int) -> FittedPrompt:
    """Encodes a dialogue for the next answer in at most `budget` tokens.

    The thinking of earlier answers is read with them, as in training. If there is no room, it is the first to
    go, all of it. Then oldest turns (a user message with all that follows it) are left out whole; the system
    message and the last turn stay. If these two alone are too long, the middle of the last user message is
    cut out: its beginning and end hold the task more often than its middle.

    Raises:
        GenerationError: there is no message, or the system message leaves no room for a question.
    """
    if not messages:
        raise GenerationError("Não há mensagem para responder: escreva alguma coisa.")

    def length(part: Sequence[Message]) -> int:
        return tokenizer.dialog_length(list(part))

    system, turns = _split_turns(messages)
    fixed = length(system) + 1  # the assistant token that opens the answer
    sizes = [length(turn) for turn in turns]
    excess = fixed + sum(sizes) - budget
    if excess > 0:
        turns = [[_spoken(message) for message in turn] for turn in turns]
        sizes = [length(turn) for turn in turns]
        excess = fixed + sum(sizes) - budget
    dropped = 0
    if excess > 0:
        step = max(1, budget // _DROP_STEP)
        goal = -(-excess // step) * step  # rounded up: the cut moves in steps, not with each message
        freed = 0
        while freed < goal and dropped < len(turns) - 1:
            freed += sizes[dropped]
            dropped += 1
    last = list(turns[-1])
    skipped = 0
    room = budget - fixed - sizes[-1]
    if room < 0:
        last, skipped = _shorten(tokenizer, last, -room, budget - fixed)
    kept = [*system, *(message for turn in turns[dropped:-1] for message in turn), *last]
    return FittedPrompt(
        ids=tokenizer.encode_dialog(kept, include_thinking=True, add_generation_prompt=True),
        dropped_messages=sum(len(turn) for turn in turns[:dropped]),
        skipped_tokens=skipped,
    )


def _split_turns(messages: Sequence[Message]) -> tuple[list[Message], list[list[Message]]]:
    """The system messages at the start, and the turns: each begins with a user message."""
    start = 0
    while start < len(messages) - 1 and messages[start]["role"] == "system":
        start += 1
    turns: list[list[Message]] = []
    for message in messages[start:]:
        if message["role"] == "user" or not turns:
            turns.append([])
        turns[-1].append(message)
    return list(messages[:start]), turns


def _spoken(message: Message) -> Message:
    """A message without its thinking."""
    return {name: value for name, value in message.items() if name != "thinking"}


def _shorten(
    tokenizer: LunaTokenizer, turn: list[Message], excess: int, budget_tokens: int
) -> tuple[list[Message], int]:
    """Cuts `excess` tokens or a few more out of the middle of the turn's longest user message."""
    place = max(range(len(turn)), key=lambda i: (turn[i]["role"] == "user", len(turn[i]["content"])))
    ids = tokenizer.encode_content(turn[place]["content"])
    keep = len(ids) - excess - len(tokenizer.encode_content(_GAP))
    while keep >= _LEAST_MESSAGE_TOKENS:
        head, tail = keep - keep // 2, keep // 2
        # Half a character at the cut decodes to U+FFFD and is left out.
        content = (
            tokenizer.decode(ids[:head]).rstrip("\ufffd")
            + _GAP
            + tokenizer.decode(ids[-tail:]).lstrip("\ufffd")
        )
        shortened = [*turn[:place], {**turn[place], "content": content}, *turn[place + 1 :]]
        if tokenizer.dialog_length(shortened) <= budget_tokens:
            return shortened, len(ids) - keep
        keep -= 1  # other merges at the cuts can cost a token or two
    raise GenerationError(
        "O texto de sistema e a última mensagem não cabem juntos no contexto do modelo. "
        "Encurte o texto de sistema ou a mensagem."
    )
