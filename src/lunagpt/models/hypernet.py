"""Networks that generate parts of other networks: low-rank, causal, and without effect until trained.

Source: Ha et al. 2016, "HyperNetworks"; the low-rank form with a generator that starts at zero is that of
Charakorn et al. 2025, "Text-to-LoRA". `lunagpt.models.conditioning` builds the hypernetwork of the whole
model from these parts; `HyperAdapter` and `DomainSpecificHyperAdapter` stand alone, for any network.

Letters: B batch, T time, D width, C context width, H hidden width, R rank, I inputs, O outputs, K domains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lunagpt.models.layers import Linear
from lunagpt.models.running_sum import running_sum


@dataclass
class RunningMean:
    """What a running mean has read: pass it in to go on where the last call ended.

    Attributes:
        total: (B, D) float32, sum of the tokens; None at the start. count: number of tokens.
    """

    total: Tensor | None = None
    count: int = 0


def running_mean(x: Tensor, starts: Tensor | None = None, state: RunningMean | None = None) -> Tensor:
    """The mean of each token and those before it, (B, T, D) -> (B, T, D) float32.

    Args:
        starts: (B, T) bool, True where a packed document starts: means begin anew there.
        state: what was read before; brought up to date in place. Not together with `starts`.
    """
    sums = running_sum(x.float(), starts)
    count = running_sum(torch.ones_like(sums[..., :1]), starts)
    if state is not None:
        if state.total is not None:
            sums = sums + state.total[:, None]
        count = count + state.count
        state.total, state.count = sums[:, -1], state.count + x.shape[1]
    return sums / count


def context_network(
    context_dim: int,
    hidden_dim: int,
    activation: Callable[[], nn.Module] = nn.GELU,
    layer_norm: bool = True,
) -> nn.Sequential:
    """Two layers that turn a context into what the generators read, (…, C) -> (…, H)."""
    layers: list[nn.Module] = []
    for inputs in (context_dim, hidden_dim):
        layers += [Linear(inputs, hidden_dim), activation()]
        if layer_norm:
            layers.append(nn.LayerNorm(hidden_dim))
    return nn.Sequential(*layers)


@torch.no_grad()
def draw_linear_maps(module: nn.Module) -> None:
    """Draws every linear map in `module`: normal with std 1 / sqrt(inputs)."""
    for part in module.modules():
        if isinstance(part, Linear):
            part.weight.normal_(std=part.weight.shape[1] ** -0.5)


class LowRankGenerator(nn.Module):
    """Generates the two factors of a low-rank matrix (O, I) from a hidden vector.

    The factor that writes is zero at birth, and so is the matrix. The hidden vector is scaled by 1 / sqrt(H):
    one optimizer step then moves the generated map about as far as it moves a map of the network itself.
    Whoever holds the generator calls `reset_parameters`.
    """

    def __init__(self, hidden_dim: int, input_dim: int, output_dim: int, rank: int) -> None:
        super().__init__()
        self.hidden_dim = hidden_dim
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.rank = rank
        self.down = Linear(hidden_dim, rank * input_dim)
        self.up = Linear(hidden_dim, output_dim * rank)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draws the parameters: what `down` gives keeps the size of its input, summed over the ranks."""
        self.down.weight.normal_(std=(self.input_dim * self.rank) ** -0.5)
        self.up.weight.zero_()

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """hidden (…, H) -> down (…, R, I) and up (…, O, R)."""
        hidden = hidden * self.hidden_dim**-0.5
        down = self.down(hidden).unflatten(-1, (self.rank, self.input_dim))
        return down, self.up(hidden).unflatten(-1, (self.output_dim, self.rank))

    def change(self, x: Tensor, hidden: Tensor) -> Tensor:
        """`up (down x)` with a hidden vector of each token's own, without ever building its factors.

        Args:
            x: (…, I). hidden: (…, H).

        Returns:
            (…, O).
        """
        hidden = (hidden * self.hidden_dim**-0.5)[..., None, :]
        reading = self.down.weight.view(self.rank, self.input_dim, self.hidden_dim)
        reading = reading.permute(0, 2, 1).reshape(-1, self.input_dim)
        inner = F.linear(x, reading.to(x.dtype)).unflatten(-1, (self.rank, self.hidden_dim))
        inner = (inner * hidden).sum(-1, keepdim=True) * hidden  # (…, R, H)
        return F.linear(inner.flatten(-2), self.up.weight.view(self.output_dim, -1).to(x.dtype))


class HyperNetwork(nn.Module):
    """Generates the weight and bias of a linear map from a context; both are zero until trained.

    Args:
        context_dim: C. target_dim: O, outputs of the generated map.
        hidden_dim: H, default 2 C.
        activation: makes the nonlinearity. layer_norm: normalise after each layer.
        input_dim: I, inputs of the generated map, default C.
        rank: R, of the generated weight.
    """

    def __init__(
        self,
        context_dim: int,
        target_dim: int,
        hidden_dim: int | None = None,
        activation: Callable[[], nn.Module] = nn.GELU,
        layer_norm: bool = True,
        *,
        input_dim: int | None = None,
        rank: int = 4,
    ) -> None:
        super().__init__()
        self.context_dim = context_dim
        self.target_dim = target_dim
        self.hidden_dim = hidden_dim or 2 * context_dim
        self.input_dim = input_dim or context_dim
        self.network = context_network(context_dim, self.hidden_dim, activation, layer_norm)
        self.weight_generator = LowRankGenerator(self.hidden_dim, self.input_dim, target_dim, rank)
        self.bias_generator = Linear(self.hidden_dim, target_dim)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draws the parameters."""
        draw_linear_maps(self.network)
        self.weight_generator.reset_parameters()
        self.bias_generator.weight.zero_()

    def forward(self, context_vector: Tensor) -> tuple[Tensor, Tensor]:
        """context_vector (B, C) -> weight (B, O, I) of rank R, and bias (B, O)."""
        hidden = self.network(context_vector)
        down, up = self.weight_generator(hidden)
        return up @ down, self._bias(hidden)

    def change(self, x: Tensor, context: Tensor) -> Tensor:
        """The output of the generated map for x (B, T, I), as (B, T, O).

        Args:
            context: (B, C), one map per row, or (B, T, C), one map per token.
        """
        hidden = self.network(context)
        if context.dim() == x.dim():
            return self.weight_generator.change(x, hidden) + self._bias(hidden)
        down, up = self.weight_generator(hidden)
        return x @ down.mT @ up.mT + self._bias(hidden)[:, None]

    def _bias(self, hidden: Tensor) -> Tensor:
        return self.bias_generator(hidden * self.hidden_dim**-0.5)


class HyperAdapter(nn.Module):
    """Adds to x what a generated low-rank map makes of it, (B, T, D) -> (B, T, D); the identity at birth.

    Causal: token t is adapted by the mean of tokens 0…t, or by a condition that is known beforehand.

    Args:
        input_dim: D. meta_dim: width of the features that the map is generated from. rank: of the map.
    """

    def __init__(self, input_dim: int, meta_dim: int = 64, *, rank: int = 4) -> None:
        super().__init__()
        self.input_dim = input_dim
        self.meta_dim = meta_dim
        self.meta_extractor = Linear(input_dim, meta_dim)
        self.hypernet = HyperNetwork(meta_dim, input_dim, input_dim=input_dim, rank=rank)
        draw_linear_maps(self.meta_extractor)

    def forward(self, x: Tensor, condition: Tensor | None = None, state: RunningMean | None = None) -> Tensor:
        """
        Args:
            x: (B, T, D).
            condition: (B, D), e.g. the mean of a system prompt; None takes the running mean of x.
            state: of the running mean, to read x in pieces; brought up to date in place.
        """
        context = running_mean(x, state=state).to(x.dtype) if condition is None else condition
        return x + self.hypernet.change(x, self.meta_extractor(context))


class DomainDetector(nn.Module):
    """Tells what a text is about from the mean of its token vectors, (…, D) -> logits (…, K). Whoever holds
    the detector draws its weights (`draw_linear_maps`).
    """

    def __init__(self, input_dim: int, num_domains: int) -> None:
        super().__init__()
        self.input_dim = input_dim
        self.input_proj = Linear(input_dim, max(1, input_dim // 2))
        self.scores = Linear(max(1, input_dim // 2), num_domains)

    def forward(self, mean: Tensor) -> Tensor:
        normed = F.rms_norm(mean.float(), (self.input_dim,))  # the mean of a long text is a short vector
        return self.scores(F.gelu(self.input_proj(normed)))


class DomainSpecificHyperAdapter(nn.Module):
    """Detects the domain of what was read so far and adapts to it; changes nothing at birth.

    The domain is soft: probabilities mix the learned embeddings of the domains. Train the detector with a
    cross-entropy on `domain_logits`, where the domain is known.

    Args:
        input_dim: D. num_domains: K. domain_emb_dim: width of a domain's embedding. rank: of the map.
    """

    def __init__(
        self, input_dim: int, num_domains: int = 5, domain_emb_dim: int = 32, *, rank: int = 4
    ) -> None:
        super().__init__()
        self.input_dim = input_dim
        self.num_domains = num_domains
        self.domain_emb_dim = domain_emb_dim
        self.domain_detector = DomainDetector(input_dim, num_domains)
        draw_linear_maps(self.domain_detector)
        self.domain_embeddings = nn.Parameter(torch.randn(num_domains, domain_emb_dim))
        self.hypernet = HyperNetwork(domain_emb_dim, input_dim, input_dim=input_dim, rank=rank)

    def domain_logits(self, x: Tensor, state: RunningMean | None = None) -> Tensor:
        """Scores of the domains after each token, (B, T, D) -> (B, T, K)."""
        return self.domain_detector(running_mean(x, state=state))

    def forward(
        self, x: Tensor, domain_probs: Tensor | None = None, state: RunningMean | None = None
    ) -> tuple[Tensor, Tensor]:
        """
        Args:
            x: (B, T, D).
            domain_probs: (B, K) where the domain is known; None detects it.
            state: of the detector, to read x in pieces; brought up to date in place.

        Returns:
            x with its change (B, T, D), and the probabilities of the domains: (B, T, K), after each token, or
            those given.
        """
        if domain_probs is None:
            domain_probs = self.domain_logits(x, state).softmax(-1)
        context = domain_probs.to(x.dtype) @ self.domain_embeddings.to(x.dtype)
        return x + self.hypernet.change(x, context), domain_probs
