"""Emotional routing: what was said so far is read as eight emotions, and the reading moves the expert scores.

    scores[t]  = mean over the document's tokens s <= t of P x[s]
    reading[t] = softmax(scores[t])
    router logits[t] += (reading[t] - 1/8) A

P (8, D) learns from documents whose emotion is labelled, and from nothing else: neither does the loss of the
language model reach P, which would turn the eight dimensions into whatever helps it, nor do the few labels
reach the layers below. A (8, E) learns from the language model's loss alone. Both begin at zero, and an
undecided reading moves nothing, so that switching the part on changes nothing at birth.

The reading is the running mean of a document, not the token's own: a probe of the last layer with experts was
right on 47 % of the held-out dialogues by the mean, on 34 % by the last token (`benchmarks/emotions.py`).
It is causal, and
what it needs of the past is a sum and a count, kept in `LayerState`.

Letters: B batch, T time, D model width, E experts.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lunagpt.data.traits import EMOTIONS, UNKNOWN
from lunagpt.models.decoding_state import LayerState
from lunagpt.models.running_sum import running_sum

NUM_EMOTIONS = len(EMOTIONS)
EMOTION_LOSS = (
    0.1  # weight of the label's cross-entropy per token; it reaches P alone, where Adam divides it out
)


class EmotionalRouting(nn.Module):
    """The reading of one layer and its say in the choice of experts.

    Args:
        input_dim: D. num_experts: E.
    """

    enabled = True  # see `components`

    def __init__(self, input_dim: int, num_experts: int) -> None:
        super().__init__()
        self.projector = nn.Parameter(torch.zeros(NUM_EMOTIONS, input_dim))
        self.biases = nn.Parameter(torch.zeros(NUM_EMOTIONS, num_experts))

    def forward(self, scores: Tensor) -> Tensor:
        """Scores (..., 8) -> what is added to the router's logits, (..., E)."""
        reading = scores.detach().softmax(-1)
        return (reading - 1 / NUM_EMOTIONS) @ self.biases.float()

    def scores(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        starts: Tensor | None = None,
        state: LayerState | None = None,
    ) -> Tensor:
        """The emotions' scores after each token: (B, T, D) -> (B, T, 8), float32.

        Args:
            mask: (B, T) bool, False at padding. starts: (B, T) bool, True where a packed document starts.
            state: what came before x; brought up to date. Not together with `starts`.
        """
        # sums of thousands of tokens, and differences of such sums: float32 would lose the short documents
        wide = torch.float32 if x.device.type == "mps" else torch.float64
        own = F.linear(x.detach().float(), self.projector.float()).to(wide)
        counted = F.pad(own, (0, 1), value=1.0)  # the last column counts tokens
        if mask is not None:
            counted = counted * mask[..., None]
        sums = running_sum(counted, starts)
        if state is not None:
            if state.emotion is not None:
                sums = sums + state.emotion[:, None]
            state.emotion = sums[:, -1].detach()
        return (sums[..., :-1] / sums[..., -1:].clamp(min=1)).float()


def emotion_loss(scores: Tensor, emotions: Tensor) -> Tensor:
    """Weighted cross-entropy with the labels, a scalar in nats summed over the tokens that have one.

    Args:
        scores: (B, T, 8). emotions: (B, T) int64, the number of the emotion, -1 where none is known.
    """
    return EMOTION_LOSS * F.cross_entropy(
        scores.flatten(0, 1), emotions.flatten(), ignore_index=UNKNOWN, reduction="sum"
    )
