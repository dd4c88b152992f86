"""Which parameters are which: for optimizers, initialisation and reports."""

import math

import torch
from torch import Tensor, nn

from lunagpt.errors import ConfigError
from lunagpt.models.layers import Linear

Named = list[tuple[str, nn.Parameter]]


def parameter_groups(model: nn.Module) -> dict[str, Named]:
    """Splits the parameters by the treatment they need in training.

    Returns:
        "matrix": weights of linear maps inside the layers (Muon, weight decay);
        "embedding": token embedding and output head (AdamW, weight decay);
        "no_decay": norms, biases, convolution, routers and the state-space constants A_log, D, dt_bias
        (AdamW, no decay: pulling decay rates towards zero would change how long the state remembers).
        In a core of another family every table of two axes is a matrix or an embedding.
    """
    matrices = {id(m.weight) for m in model.modules() if isinstance(m, Linear)}
    core = getattr(model, "core", nn.Module())
    tables = {id(m.weight) for m in core.modules() if isinstance(m, nn.Embedding)}
    groups: dict[str, Named] = {"matrix": [], "embedding": [], "no_decay": []}
    for name, parameter in model.named_parameters():
        if id(parameter) in tables or name.startswith(("embedding.", "lm_head.", "core.lm_head.")):
            groups["embedding"].append((name, parameter))
        elif id(parameter) in matrices or (name.startswith("core.") and parameter.dim() == 2):
            groups["matrix"].append((name, parameter))
        else:
            groups["no_decay"].append((name, parameter))
    return groups


def train_only(model: nn.Module, *prefixes: str) -> None:
    """Freezes every parameter whose name begins with none of the prefixes ("hypernet.", "layers.3.", …) and
    lets the others be trained; without prefixes all can be.

    Raises:
        ConfigError: no parameter has such a name.
    """
    chosen = {name: not prefixes or name.startswith(prefixes) for name, _ in model.named_parameters()}
    if not any(chosen.values()):
        raise ConfigError(
            f"Nada a treinar: o modelo não tem parâmetros que comecem com {', '.join(prefixes)}."
        )
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(chosen[name])


def unique_state(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and saved buffers; tied weights under one name only, as safetensors wants it."""
    state = model.state_dict(keep_vars=True)
    first = {id(tensor): name for name, tensor in reversed(state.items())}
    return {name: tensor for name, tensor in state.items() if first[id(tensor)] == name}


def stacked_rows(model: nn.Module) -> dict[Tensor, list[slice]]:
    """Matrices that are several standing below one another (experts), and the rows of each."""
    from lunagpt.models.moe import MoEBlock

    rows: dict[Tensor, list[slice]] = {}
    for module in model.modules():
        if isinstance(module, MoEBlock):
            for linear in (module.gate_proj, module.up_proj, module.down_proj):
                height = len(linear.weight) // module.num_experts
                rows[linear.weight] = [slice(e * height, (e + 1) * height) for e in range(module.num_experts)]
    return rows


@torch.no_grad()
def initialise(model: nn.Module, hidden_size: int) -> None:
    """Draws all weights.

    Linear maps that read the residual stream: normal with std 1 / sqrt(D). Maps that write to it (o_proj,
    out_proj, down_proj): zero, so that every layer starts as the identity (nanochat, modded-nanogpt).
    Embedding and head: normal with std 0.02, which puts the first logits near uniform. State-space constants,
    the experts' router and the hypernetwork: see `StateSpaceLayer`, `MoEBlock`, `ModelHyperNetwork`. The
    hypernetwork comes last: the other weights of a seed are the same with and without it.
    """
    from lunagpt.models.conditioning import ModelHyperNetwork
    from lunagpt.models.state_space_layer import StateSpaceLayer

    for module in model.modules():
        if isinstance(module, StateSpaceLayer):
            module.reset_parameters("normal", 1.0 / math.sqrt(hidden_size))
    for name, parameter in parameter_groups(model)["matrix"]:
        if name.startswith("hypernet."):
            continue
        if name.endswith(("o_proj.weight", "out_proj.weight", "down_proj.weight")):
            parameter.zero_()
        else:
            parameter.normal_(std=1.0 / math.sqrt(hidden_size))
    for _, parameter in parameter_groups(model)["embedding"]:
        parameter.normal_(std=0.02)
    for module in model.modules():
        if isinstance(module, ModelHyperNetwork):
            module.reset_parameters()
