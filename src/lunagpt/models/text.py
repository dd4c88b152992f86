"""Text in, text or vectors out: the convenience layer of `LunaModel`."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lunagpt.conditions import Condition
from lunagpt.errors import GenerationError, LunaError
from lunagpt.models.conditioned import resolved

if TYPE_CHECKING:
    from lunagpt.models.luna_model import LunaModel

ENCODE_BATCH = 16  # texts per forward pass


class TextMethods:
    """The methods of `LunaModel` that read and write text."""

    @property
    def unspeakable_token_ids(self: Any) -> tuple[int, ...]:
        """Ids that may not appear in an answer: control tokens but the end, and ids that the tokenizer
        does not know, where the vocabulary of the weights is larger."""
        tokenizer = self.tokenizer
        control = sorted(tokenizer.special_token_ids - {tokenizer.end_token_id})
        return (*control, *range(tokenizer.vocab_size, self.config.model.vocab_size))

    def generate(
        self: Any,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        max_length: int = 100,
        **settings: Any,
    ) -> Tensor:
        """Continues each row of input_ids (B, T) until it ends its turn; see
        `lunagpt.generation.generate_batch`.

        Args:
            attention_mask: (B, T), 0 at padding on the left.
            max_length: of prompt and continuation together; `max_new_tokens` counts the continuation alone.
            settings: fields of `SamplingParams` (temperature, top_p, top_k, repetition_penalty, seed, ...);
                and `condition`, see `new_state`.

        Returns:
            (B, T + new) ids; rows that ended early are filled with the pad token.
        """
        from lunagpt.generation import SamplingParams, generate_batch

        room = max_length - input_ids.shape[1]
        if "max_new_tokens" not in settings and room <= 0:
            raise GenerationError(
                f"O prompt tem {input_ids.shape[1]} tokens e max_length, que conta prompt e resposta, é "
                f"{max_length}. Aumente max_length, ou use max_new_tokens, que conta só a resposta."
            )
        settings.setdefault("max_new_tokens", room)
        settings.setdefault("stop_token_ids", (self.tokenizer.end_token_id,))
        condition = settings.pop("condition", None)
        params = SamplingParams(**settings)
        return generate_batch(self, input_ids, attention_mask, params, condition=condition)

    def generate_text(
        self: Any,
        prompt: str,
        context: str | None = None,
        prefix: str | None = None,
        max_length: int = 256,
        *,
        stream: bool = False,
        **settings: Any,
    ) -> str | Iterator[str]:
        """Answers `prompt` as one turn of a dialogue; see `stream_answer`.

        Args:
            stream: return the pieces of the answer as they come, not the whole.
        """
        pieces = stream_answer(self, prompt, context, prefix, max_length, **settings)
        return pieces if stream else "".join(pieces)

    def encode_text(self: Any, text: str | list[str], pooling: str = "mean") -> np.ndarray:
        """Vectors of texts from the final hidden states; see `vectors_of`."""
        return vectors_of(self, text, pooling)


def stream_answer(
    model: "LunaModel",
    prompt: str,
    context: str | None = None,
    prefix: str | None = None,
    max_length: int = 256,
    *,
    system: str | None = None,
    on_thought: Callable[[str], object] | None = None,
    condition: Condition | None = None,
    **settings: Any,
) -> Iterator[str]:
    """Answers one message; yields the text in pieces, whole characters each.

    Args:
        prompt: the user's message. context: a passage to answer from, put in front of the message.
        prefix: a role token such as "<|proactive|>" that takes the place of "<|assistant|>", or the words the
            answer must begin with (they are yielded too).
        max_length: tokens of the answer at most. system: system message.
        on_thought: is given the thinking before the answer, piece by piece; it is never yielded.
        condition: style and domain, for a model with a hypernetwork.
        settings: fields of `SamplingParams`, `thinking` among them (by default as `config.thinking`
            has it). With a prefix there is no thinking.

    Raises:
        GenerationError: a setting is out of range, or thinking is wanted where there can be none.
    """
    from lunagpt.generation import Reply, SamplingParams, before_reply, settle_thinking, stream_text

    tokenizer = model.tokenizer
    content = f"Contexto:\n{context}\n\nPergunta: {prompt}" if context else prompt
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": content})
    ids = tokenizer.encode_dialog(messages, add_generation_prompt=True)
    roles = {
        tokenizer.assistant_token: tokenizer.assistant_token_id,
        tokenizer.proactive_token: tokenizer.proactive_token_id,
        tokenizer.thinking_token: tokenizer.thinking_token_id,
    }
    if prefix and settings.setdefault("thinking", "off") != "off":
        raise GenerationError(
            "Com prefix não há pensamento antes da resposta: deixe prefix ou thinking de fora."
        )
    if prefix in roles:
        if roles[prefix] is None:
            raise GenerationError(
                f"Este modelo fala no formato da sua base, que não tem {prefix}: deixe prefix de fora."
            )
        ids[-1] = roles[prefix]
    elif prefix:
        ids += tokenizer.encode_content(prefix)
        yield prefix
    settings.setdefault("thinking", model.config.thinking.mode)
    settings.setdefault("max_thinking_tokens", model.config.thinking.max_thinking_tokens)
    settings.setdefault("max_new_tokens", max_length)
    settings.setdefault("stop_token_ids", (tokenizer.end_token_id,))
    settings.setdefault("banned_token_ids", model.unspeakable_token_ids)
    params = settle_thinking(SamplingParams(**settings), model)
    state = model.new_state(resolved(model, condition, system, content))
    for kind, tokens in Reply(model, before_reply(ids, params), params, state=state).segments():
        for piece in stream_text(tokenizer, tokens):
            if kind == "answer":
                yield piece
            elif on_thought is not None:
                on_thought(piece)


@torch.no_grad()
def vectors_of(model: "LunaModel", text: str | list[str], pooling: str = "mean") -> np.ndarray:
    """Vectors of texts from the final hidden states.

    Args:
        text: one text or several. pooling: "mean" over the tokens, "last" or "max".

    Returns:
        (D,) for one text, (n, D) for a list; a float32 array, not normalised.

    Raises:
        LunaError: unknown pooling, or a text without a token.
    """
    if pooling not in ("mean", "last", "max"):
        raise LunaError(f'Não conheço pooling="{pooling}". Use "mean", "last" ou "max".')
    texts = [text] if isinstance(text, str) else list(text)
    tokens = [
        ids[: model.config.model.max_position_embeddings]
        for ids in model.tokenizer.encode_batch_content(texts)
    ]
    if not all(tokens):
        raise LunaError("Não há o que codificar num texto vazio. Passe ao menos uma palavra.")
    vectors = np.empty((len(tokens), model.config.model.hidden_size), dtype=np.float32)
    order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))  # like lengths together: little padding
    for start in range(0, len(order), ENCODE_BATCH):
        chosen = order[start : start + ENCODE_BATCH]
        longest = max(len(tokens[i]) for i in chosen)
        ids = torch.zeros(len(chosen), longest, dtype=torch.int64, device=model.device)
        mask = torch.zeros(len(chosen), longest, dtype=torch.bool, device=model.device)
        for row, i in enumerate(chosen):
            ids[row, longest - len(tokens[i]) :] = torch.tensor(tokens[i])
            mask[row, longest - len(tokens[i]) :] = True
        hidden = model.hidden_states(ids, mask).float()
        if pooling == "last":
            pooled = hidden[:, -1]
        elif pooling == "max":
            pooled = hidden.masked_fill(~mask[..., None], -torch.inf).amax(dim=1)
        else:
            pooled = (hidden * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        vectors[chosen] = pooled.cpu().numpy()
    return vectors[0] if isinstance(text, str) else vectors
