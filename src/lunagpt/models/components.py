"""Parts of a built model that can be switched off and on while it runs, and its settings for the machine.

Switching a part changes no weight and no size: what is saved is the whole model, and loading it switches
everything on. What was read before a switch was read by another model, so a decoding state made before it is
refused.

A part joins with `enabled = True` in its class, a look at it where the part is called, and a line in
`COMPONENTS`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import nn

from lunagpt.errors import ConfigError, GenerationError
from lunagpt.models.attention import Attention
from lunagpt.models.conditioning import ModelHyperNetwork
from lunagpt.models.convolution import EmbeddingConvolution
from lunagpt.models.eight_bit import refuse_eight_bits, use_eight_bits
from lunagpt.models.emotional_routing import EmotionalRouting
from lunagpt.models.hypernet import LowRankGenerator
from lunagpt.models.moe import MoEBlock
from lunagpt.models.parameters import parameter_groups
from lunagpt.models.state_space_layer import StateSpaceLayer
from lunagpt.utils.hardware import physical_cores

if TYPE_CHECKING:
    from lunagpt.config.sections import HardwareConfig
    from lunagpt.models.decoding_state import DecodingState
    from lunagpt.models.luna_model import LunaModel


class ComponentWarning(UserWarning):
    """A part was switched off that the weights were trained with, or the machine gets another setting."""


@dataclass(frozen=True)
class Component:
    """A part that can be switched.

    Attributes:
        name: as the methods of `RuntimeSwitches` take it.
        label: Portuguese, with its article, to stand after "desligar".
        kind: the class of its modules; each has an attribute `enabled`.
        matters: whether the output depends on a module, given its weights.
        lacking: Portuguese: how to get a model that has the part.
    """

    name: str
    label: str
    kind: Any
    matters: Callable[[Any], bool]
    lacking: str


def _differ(block: MoEBlock, limit: int = 1) -> bool:
    """Whether the experts from number `limit` on compute something else than the first."""
    for linear in (block.gate_proj, block.up_proj, block.down_proj):
        first, *others = linear.weight.chunk(block.num_experts)
        if any(not torch.equal(other, first) for other in others[limit - 1 :]):
            return True
    return False


def _generates(hypernet: ModelHyperNetwork) -> bool:
    generators = (module for module in hypernet.modules() if isinstance(module, LowRankGenerator))
    return any(bool(generator.up.weight.any()) for generator in generators)


_BUILT = 'a parte se escolhe antes de construir o modelo ("{key}": true na seção model)'

COMPONENTS: dict[str, Component] = {
    component.name: component
    for component in (
        Component(
            "attention",
            "a atenção",
            Attention,
            lambda attention: bool(attention.o_proj.weight.any()),
            _BUILT.format(key="use_attention"),
        ),
        Component(
            "state_space",
            "o espaço de estados",
            StateSpaceLayer,
            lambda mixer: bool(mixer.out_proj.weight.any()),
            _BUILT.format(key="use_state_space"),
        ),
        Component(
            "moe",
            "a mistura de especialistas (cada token passa só pelo primeiro)",
            MoEBlock,
            _differ,
            "converta um modelo denso com luna upcycle MODELO SAÍDA",
        ),
        Component(
            "emotional_routing",
            "o roteamento emocional",
            EmotionalRouting,
            lambda routing: bool(routing.biases.any()),
            "converta um modelo denso com luna upcycle MODELO SAÍDA --emotional-routing",
        ),
        Component(
            "hypernet",
            "a hiper-rede (as condições deixam de agir)",
            ModelHyperNetwork,
            _generates,
            "ponha uma com lunagpt.models.add_hypernet e treine-a",
        ),
        Component(
            "embedding_convolution",
            "a convolução dos vetores de entrada",
            EmbeddingConvolution,
            lambda convolution: bool(convolution.weight.any()),
            _BUILT.format(key="embedding_convolution"),
        ),
    )
}


class RuntimeSwitches(nn.Module):
    """The methods of `LunaModel` that switch its parts.

    Attributes:
        switches: how many times something was switched; tells states made before from those made after.
        on_base: whether the blocks are those of a base of another family, whose attention is always on.
    """

    switches: int = 0
    on_base: bool = False
    compute_dtype: torch.dtype

    def enable_component(self, name: str) -> None:
        """Switches a part on again; for "moe" with all of its experts.

        Raises:
            ConfigError: there is no such part, or this model was built without it.
        """
        for module in self._parts(name):
            module.enabled = True
            if isinstance(module, MoEBlock):
                module.limit_experts(None)
        self.switches += 1

    def disable_component(self, name: str) -> None:
        """Switches a part off; warns (`ComponentWarning`) if the weights depend on it.

        Names are those of `COMPONENTS`. "moe" leaves one expert, the first, in the place of the mixture.

        Raises:
            ConfigError: as `enable_component`, or neither attention nor state space would be left.
        """
        modules = self._parts(name)
        other = {"attention": StateSpaceLayer, "state_space": Attention}.get(name)
        reads = self.on_base or other is None or any(module.enabled for module in self._of(other))
        if not reads:
            raise ConfigError(
                "Sem atenção e sem espaço de estados o modelo não leria contexto algum. Ligue um dos dois "
                "(enable_component) antes de desligar o outro."
            )
        component = COMPONENTS[name]
        if any(component.matters(module) for module in modules):
            _warn(
                f"Você desligou {component.label}, e os pesos deste modelo foram treinados com essa parte: "
                f'as respostas vão piorar. enable_component("{name}") volta atrás.'
            )
        for module in modules:
            module.enabled = False
        self.switches += 1

    def enable_all_components(self) -> None:
        """Switches on every part that this model has."""
        for component in COMPONENTS.values():
            if any(True for _ in self._of(component.kind)):
                self.enable_component(component.name)

    def enable_moe_with_limited_experts(self, max_experts: int = 4) -> None:
        """Switches the experts on, but uses the first `max_experts` of each layer only.

        Warns (`ComponentWarning`) if the others compute something else.

        Raises:
            ConfigError: this model has no experts, or `max_experts` is below 1.
        """
        if max_experts < 1:
            raise ConfigError(f"max_experts é {max_experts}; use um número a partir de 1.")
        blocks = self._parts("moe")
        if any(max_experts < block.num_experts and _differ(block, max_experts) for block in blocks):
            _warn(
                f"Especialistas usados de cada camada: só os {max_experts} primeiros. Os pesos deste modelo "
                "foram treinados com todos: as respostas vão piorar. "
                'enable_component("moe") volta atrás.'
            )
        for block in blocks:
            block.enabled = True
            block.limit_experts(max_experts)
        self.switches += 1

    def optimize_for_cpu(self, num_threads: int | None = None) -> int:
        """Prepares the model for answering on the CPU: weights and arithmetic in float32 (16-bit weights are
        converted at every product there), evaluation mode, numbers too small to matter flushed to zero, and
        as many threads as help.

        Args:
            num_threads: at most the physical cores are taken, because a second thread per core only takes
                bandwidth from the first; None takes all of them.

        Returns:
            The number of threads.

        Raises:
            ConfigError: `num_threads` is below 1.
        """
        if num_threads is not None and num_threads < 1:
            raise ConfigError(f"num_threads é {num_threads}; use um número a partir de 1, ou None.")
        cores = physical_cores()
        threads = cores if num_threads is None else min(num_threads, cores)
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        weights = next(self.parameters())
        changed = (weights.device.type, weights.dtype, self.compute_dtype) != ("cpu", *[torch.float32] * 2)
        self.to("cpu", torch.float32).eval()
        self.compute_dtype = torch.float32
        self.switches += changed  # a state holds tensors of the old kind
        return threads

    def use_8bit_quantization(self) -> None:
        """Keeps the embedding, the head and the linear maps of all layers in 8 bits, a quarter of the memory
        of float32; see `lunagpt.models.eight_bit`. Norms, routers, convolutions and the hypernetwork stay.

        There is no way back but loading the model again, and until then it only answers: training and saving
        are refused. A second call changes nothing.
        """
        groups = parameter_groups(self)
        matrices = [*groups["matrix"], *groups["embedding"]]
        use_eight_bits(self, [weight for name, weight in matrices if not name.startswith("hypernet.")])
        self.eval()
        self.switches += 1

    def train(self, mode: bool = True) -> Self:
        """See `torch.nn.Module.train`.

        Raises:
            ConfigError: the weights are in 8 bits.
        """
        if mode:
            refuse_eight_bits(self)
        return super().train(mode)

    def follow_settings(self, hardware: HardwareConfig) -> None:
        """Does what the section `hardware` says of a model that is to answer: `skip_components` and
        `quantization`. Parts that this model was built without need no skipping.

        Raises:
            ConfigError: a part cannot be switched off.
        """
        for name in hardware.skip_components:
            if name in COMPONENTS and any(True for _ in self._of(COMPONENTS[name].kind)):
                self.disable_component(name)
        if hardware.quantization == "int4":
            _warn("Esta versão não tem pesos de 4 bits (hardware.quantization); eles ficam em 8.")
        if hardware.quantization is not None:
            self.use_8bit_quantization()

    def _of(self, kind: type[nn.Module]) -> Iterator[Any]:
        return (module for module in self.modules() if isinstance(module, kind))

    def _parts(self, name: str) -> list[Any]:
        if name not in COMPONENTS:
            raise ConfigError(f'Não conheço a parte "{name}". As que existem: {", ".join(COMPONENTS)}.')
        modules = list(self._of(COMPONENTS[name].kind))
        if self.on_base and name == "attention":
            raise ConfigError("A atenção deste modelo é a da sua base, que não se liga nem desliga.")
        if not modules:
            raise ConfigError(f'Este modelo não tem a parte "{name}": {COMPONENTS[name].lacking}.')
        return modules


def check_switches(model: LunaModel, state: DecodingState) -> None:
    """Notes in a new state by which parts it is being filled.

    Raises:
        GenerationError: the state was filled with other parts switched on.
    """
    if state.switches is None:
        state.switches = model.switches
    elif state.switches != model.switches:
        raise GenerationError(
            "As partes do modelo mudaram no meio desta conversa, e o que foi lido antes já não vale. "
            "Comece de novo com model.new_state()."
        )


def _warn(message: str) -> None:
    warnings.warn(message, ComponentWarning, stacklevel=3)
