"""One layer of the hybrid model: attention and state space side by side, then the feed-forward network.

    x = x + attention(norm(x)) + state_space(norm(x))
    x = x + feed_forward(norm(x))      or a mixture of experts

The shape of Falcon-H1 (arXiv 2507.22448, block SA_M): both mixers read the same normalised input and their
outputs are added, which equals concatenating them before one output projection.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from lunagpt.config import ModelConfig
from lunagpt.models.attention import Attention
from lunagpt.models.decoding_state import LayerState
from lunagpt.models.layers import FeedForward, RMSNorm
from lunagpt.models.low_rank import UNCHANGED, Changes
from lunagpt.models.moe import MoEBlock
from lunagpt.models.state_space_layer import StateSpaceLayer
from lunagpt.models.visibility import Visibility

Traits = dict[str, Tensor]


@dataclass
class Context:
    """What all layers of one forward pass share.

    Attributes:
        rotary: cosine and sine tables of the positions, or None without rotary positions.
        views: what a layer's attention looks at, by the size of its window (None: everything).
        mask: (B, T) bool, False at padding, or None.
        starts: (B, T) bool, True where a packed document starts, or None.
        losses: receives what layers want minimised beside the cross-entropy, or None.
        traits: for each name in `lunagpt.data.traits.TRAITS`, (B, T) int64, the number of the trait of a
            token's document, -1 where it is not known; or None.
    """

    rotary: tuple[Tensor, Tensor] | None
    views: dict[int | None, Visibility]
    mask: Tensor | None = None
    starts: Tensor | None = None
    losses: list[Tensor] | None = None
    traits: Traits | None = None


class HybridBlock(nn.Module):
    """One layer, (B, T, D) -> (B, T, D). Either mixer can be left out by the configuration; with experts,
    `moe` stands in the place of `feed_forward`.

    Args:
        index: the layer's number, from 0.
    """

    def __init__(self, config: ModelConfig, index: int = 0) -> None:
        super().__init__()
        self.input_norm = RMSNorm(config.hidden_size, config.norm_eps)
        self.attention = (
            Attention(
                config.hidden_size,
                config.num_heads,
                config.num_kv_heads,
                config.head_dim,
                config.window_of(index),
                config.attention_temperature,
            )
            if config.use_attention
            else None
        )
        self.state_space = StateSpaceLayer.of(config) if config.use_state_space else None
        self.feed_forward_norm = RMSNorm(config.hidden_size, config.norm_eps)
        self.feed_forward: FeedForward | None = None
        self.moe: MoEBlock | None = None
        if config.has_experts(index):
            self.moe = MoEBlock.of(config)
        else:
            self.feed_forward = FeedForward(config.hidden_size, config.intermediate_size)

    def forward(
        self, x: Tensor, context: Context, state: LayerState | None = None, changes: Changes = UNCHANGED
    ) -> Tensor:
        """x (B, T, D); `state` is brought up to date in place; `changes`: what a hypernetwork adds to the
        linear maps.
        """
        normed = self.input_norm(x)
        if self.attention is not None and self.attention.enabled:
            visible = context.views[self.attention.window]
            x = x + self.attention(normed, context.rotary, visible, state, changes)
        if self.state_space is not None and self.state_space.enabled:
            x = x + self.state_space.mix(normed, state, context.mask, context.starts, changes=changes)
        normed = self.feed_forward_norm(x)
        if self.moe is not None:
            mixed = self.moe(
                normed,
                context.losses,
                mask=context.mask,
                starts=context.starts,
                state=state,
                emotions=None if context.traits is None else context.traits.get("emotion"),
            )
            return x + mixed
        assert self.feed_forward is not None
        return x + self.feed_forward(normed, changes)
