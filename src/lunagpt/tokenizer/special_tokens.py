"""The control tokens of a Luna vocabulary: the sixteen first ids, the same in every size."""

from __future__ import annotations

PAD_TOKEN = "<|pad|>"
END_TOKEN = "<|end|>"
SYSTEM_TOKEN = "<|system|>"
USER_TOKEN = "<|user|>"
ASSISTANT_TOKEN = "<|assistant|>"
THINKING_TOKEN = "<|thinking|>"
PROACTIVE_TOKEN = "<|proactive|>"

#: Tokens with a meaning today, in the order of their ids.
NAMED_TOKENS = (
    PAD_TOKEN,
    END_TOKEN,
    SYSTEM_TOKEN,
    USER_TOKEN,
    ASSISTANT_TOKEN,
    THINKING_TOKEN,
    PROACTIVE_TOKEN,
)

#: All control tokens; the index is the id in a vocabulary that this package trained.
SPECIAL_TOKENS = (*NAMED_TOKENS, *(f"<|reserved_{number}|>" for number in range(16 - len(NAMED_TOKENS))))

NUM_SPECIAL_TOKENS = len(SPECIAL_TOKENS)
