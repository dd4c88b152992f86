"""Mixture of experts: a feed-forward network of which each token uses only a part.

Token choice, dropless: every token goes to its `sparse_top_k` experts, none is turned away. A router scores
the experts with a sigmoid. Balance without a loss (Wang et al. 2024, "Auxiliary-loss-free load balancing"): a
bias per expert, added only for choosing, is moved after every step against the load. As options, the f·P loss
of Switch (Fedus et al. 2021) and the router z-loss (Zoph et al. 2022).

Letters: B batch, T time, D model width, N = B T tokens, E experts, F expert width, C experts per token.
"""

from __future__ import annotations

import threading
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lunagpt.config import ModelConfig
from lunagpt.models.decoding_state import LayerState
from lunagpt.models.emotional_routing import EmotionalRouting, emotion_loss
from lunagpt.models.experts import Backend, Choice, mix_experts
from lunagpt.models.layers import Linear

Balancing = Literal["bias", "loss", "none"]

BIAS_STEP = 1e-3  # how far the balance bias moves per step (DeepSeek-V3, torchtitan)
BALANCE_LOSS = 1e-2  # weight of the f·P loss per token (Switch); 0.1 destabilises small models
Z_LOSS = 1e-3  # weight of the router z-loss per token (OLMoE)

_counting = threading.Lock()  # micro-batches run side by side


class MoEBlock(nn.Module):
    """Experts and the router that chooses among them, (B, T, D) -> (B, T, D).

    Args:
        input_dim: D.
        hidden_dim: F, default 4 D.
        num_experts: E. sparse_top_k: C, at most E.
        expert_dropout: share of the experts' inner values dropped in training.
        load_balancing: True for "bias", False for "none", or a name: "bias" (no loss), "loss" (f·P).
        emotional_routing: let the emotion of what was said so far move the router's logits, see
            `EmotionalRouting`.
        z_loss: weight of the router z-loss per token; 0 leaves it out.
        backend, activation: see `mix_experts`.
    """

    balance_bias: Tensor

    enabled = True  # see `components`

    def __init__(
        self,
        input_dim: int,
        hidden_dim: int | None = None,
        num_experts: int = 4,
        sparse_top_k: int = 2,
        expert_dropout: float = 0.1,
        load_balancing: bool | Balancing = True,
        emotional_routing: bool = False,
        *,
        z_loss: float = Z_LOSS,
        backend: Backend = "auto",
        activation: str = "silu",
    ) -> None:
        super().__init__()
        self.input_dim = input_dim
        self.hidden_dim = hidden_dim or 4 * input_dim
        self.num_experts = num_experts
        self.sparse_top_k = min(sparse_top_k, num_experts)
        self.expert_dropout = expert_dropout
        self.load_balancing: Balancing = (
            load_balancing if isinstance(load_balancing, str) else "bias" if load_balancing else "none"
        )
        self.z_loss = z_loss
        self.backend: Backend = backend
        self.activation = activation
        # experts stand below one another, so that each of the three is one matrix to save and to optimise
        self.gate_proj = Linear(input_dim, num_experts * self.hidden_dim)
        self.up_proj = Linear(input_dim, num_experts * self.hidden_dim)
        self.down_proj = Linear(self.hidden_dim, num_experts * input_dim)
        self.router = nn.Parameter(torch.empty(num_experts, input_dim))
        self.emotional_routing = EmotionalRouting(input_dim, num_experts) if emotional_routing else None
        self.register_buffer("balance_bias", torch.zeros(num_experts))
        self._load: Tensor | None = None  # choices since the last `rebalance`
        self.usable_experts = num_experts
        self.reset_parameters()

    @classmethod
    def of(cls, config: ModelConfig, *, activation: str = "silu") -> MoEBlock:
        """The experts of a layer of the model that `config` describes."""
        return cls(
            config.hidden_size,
            config.expert_width,
            config.num_experts,
            config.experts_per_token,
            config.expert_dropout,
            config.expert_balancing,
            config.emotional_routing,
            activation=activation,
        )

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draws the weights: std 1 / sqrt(inputs), so that scores and answers start at a sensible size."""
        for weight in (self.gate_proj.weight, self.up_proj.weight, self.router):
            weight.normal_(std=self.input_dim**-0.5)
        self.down_proj.weight.normal_(std=self.hidden_dim**-0.5)

    def forward(
        self,
        x: Tensor,
        losses: list[Tensor] | None = None,
        *,
        mask: Tensor | None = None,
        starts: Tensor | None = None,
        state: LayerState | None = None,
        emotions: Tensor | None = None,
    ) -> Tensor:
        """
        Args:
            x: (B, T, D).
            losses: receives the balance and emotion losses, each a scalar in nats summed over the tokens.
            mask, starts, state: for the reading of emotions, see `EmotionalRouting.scores`.
            emotions: (B, T) int64 labels to learn it from, see `emotion_loss`.
        """
        choice, logits, scores = self.route(x, mask, starts, state)
        if self.training:
            self._count(choice)
            if losses is not None:
                losses += self._losses(logits, choice)
                if scores is not None and emotions is not None:
                    losses.append(emotion_loss(scores, emotions))
        experts = (self.num_experts, self.hidden_dim, self.input_dim)
        mixed = mix_experts(
            x.reshape(-1, self.input_dim),
            choice,
            self.gate_proj.weight.to(x.dtype).view(experts),
            self.up_proj.weight.to(x.dtype).view(experts),
            self.down_proj.weight.to(x.dtype).view(self.num_experts, self.input_dim, self.hidden_dim),
            self.expert_dropout if self.training else 0.0,
            self.backend,
            self.activation,
        )
        return mixed.view_as(x)

    def route(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        starts: Tensor | None = None,
        state: LayerState | None = None,
    ) -> tuple[Choice, Tensor, Tensor | None]:
        """Whom the tokens of x (B, T, D) go to; other arguments as in `forward`.

        Returns:
            The choice; the logits (N, E) it was made by; the scores (B, T, 8) of the emotions, or None.
        """
        logits = self.router_logits(x.reshape(-1, self.input_dim))
        if self.emotional_routing is None or not self.emotional_routing.enabled:
            return self.choose(logits), logits, None
        scores = self.emotional_routing.scores(x, mask, starts, state)
        logits = logits + self.emotional_routing(scores).flatten(0, 1)
        return self.choose(logits), logits, scores

    def router_logits(self, x: Tensor) -> Tensor:
        """(N, D) -> (N, E), always in float32: a rounded score sends a token elsewhere."""
        return F.linear(x.float(), self.router.float())

    def choose(self, logits: Tensor) -> Choice:
        """The experts of each token, from its scores (N, E): the best by sigmoid score plus balance bias.

        The gates are the scores without the bias, which so moves tokens and not their values.
        """
        scores = torch.sigmoid(logits)
        biased = scores.detach() + self.balance_bias
        usable = self.usable_experts if self.enabled else 1
        if usable < self.num_experts:
            biased[:, usable:] = -torch.inf
        experts = biased.topk(min(self.sparse_top_k, usable), dim=-1).indices
        gates = scores.gather(1, experts)
        return Choice(experts, gates / gates.sum(1, keepdim=True))

    def _losses(self, logits: Tensor, choice: Choice) -> list[Tensor]:
        losses = []
        if self.z_loss:
            losses.append(self.z_loss * logits.logsumexp(1).square().sum())
        if self.load_balancing == "loss":
            share = self._loads(choice) / choice.experts.numel()
            probability = logits.softmax(1).mean(0)
            losses.append(BALANCE_LOSS * self.num_experts * (share * probability).sum() * len(logits))
        return losses

    def _loads(self, choice: Choice) -> Tensor:
        """(E,) how often each expert was chosen."""
        return torch.bincount(choice.experts.flatten(), minlength=self.num_experts)

    def _count(self, choice: Choice) -> None:
        load = self._loads(choice)
        with _counting:
            self._load = load if self._load is None else self._load + load

    @torch.no_grad()
    def rebalance(self) -> dict[str, float]:
        """Called once after every optimizer step: moves the balance bias, forgets the counts.

        Returns:
            `violation`, the heaviest load over the mean less 1, and `dead_experts`, how many got no token; {}
            if nothing was counted.
        """
        with _counting:
            load, self._load = self._load, None
        if load is None:
            return {}
        mean = load.float().mean()
        if self.load_balancing == "bias":
            self.balance_bias += BIAS_STEP * torch.sign(mean - load.float())
        return {"violation": float(load.max() / mean - 1), "dead_experts": float((load == 0).sum())}

    def adapt_to_hardware(self, hardware_info: dict[str, Any]) -> int:
        """Chooses how many experts a token uses by `available_memory_mb`: 1 below 2,000 MB, 2 below 6,000,
        else 3. Weights stay as they are. Returns the number.
        """
        memory = hardware_info.get("available_memory_mb", 4000)
        wanted = 1 if memory < 2000 else 2 if memory < 6000 else 3
        self.sparse_top_k = min(wanted, self.num_experts)
        return self.sparse_top_k

    def limit_experts(self, max_experts: int | None) -> None:
        """Uses only the first so many experts; None all of them again.

        Raises:
            ValueError: below 1.
        """
        if max_experts is not None and max_experts < 1:
            raise ValueError("max_experts must be at least 1")
        self.usable_experts = min(max_experts or self.num_experts, self.num_experts)
