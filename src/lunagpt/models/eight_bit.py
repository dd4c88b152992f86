"""Matrices kept in 8 bits: a quarter of the memory of float32, for a model that answers.

    weight[o, i] ≈ scale[o] * code[o, i]         code: int8; scale: float32, largest weight of the row / 127

Only the storage has 8 bits (weight-only quantization, one scale per row as in Dettmers et al. 2022, arXiv
2208.07339): a product turns the codes into the dtype of its input, so that it computes on any device what
it did before, up to the rounding of the weights. Products of int8 by int8 exist in torch 2.13, but on a CPU
without VNNI they take 2 to 39 times as long as those of float32, and its quantized tensors are deprecated.

An `EightBit` stands where the weight stood. Whatever is done with it is done with the matrix it means; the
operations below know a cheaper way.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from lunagpt.errors import ConfigError

_aten = torch.ops.aten
_BLOCK = 2**18  # weights turned into floats at a time, so that they are still in the cache when multiplied

#: Operations that give the same matrix, in another dtype or place.
_CONVERSIONS = {
    _aten.detach,
    _aten.alias,
    _aten.clone,
    _aten.contiguous,
    _aten.lift_fresh,
    _aten._to_copy,
    _aten.to,
}
#: Methods that pick rows, or arrange them in another way.
_OF_ROWS = {Tensor.__getitem__, Tensor.chunk, Tensor.split, Tensor.unbind, Tensor.view}


class EightBit(Tensor):
    """A weight in 8 bits that is read and never written.

    Attributes:
        codes: (…, I) int8. scale: (…, 1) float32.
        dtype: what it is computed in where the operation does not say.
    """

    codes: Tensor
    scale: Tensor

    @staticmethod
    def __new__(cls, codes: Tensor, scale: Tensor, dtype: torch.dtype) -> EightBit:
        return Tensor._make_wrapper_subclass(cls, codes.shape, dtype=dtype, device=codes.device)

    def __init__(self, codes: Tensor, scale: Tensor, dtype: torch.dtype) -> None:
        self.codes = codes
        self.scale = scale
        self.computed_in = dtype  # as `dtype`, which takes torch longer to look up

    @classmethod
    @torch.no_grad()
    def of(cls, weight: Tensor) -> EightBit:
        """The nearest to a weight (…, I)."""
        wide = weight.detach().float()
        scale = (wide.abs().amax(dim=-1, keepdim=True) / 127).clamp(min=torch.finfo(torch.float32).tiny)
        return cls((wide / scale).round_().to(torch.int8), scale, weight.dtype)

    def floats(self, dtype: torch.dtype | None = None) -> Tensor:
        """The matrix it means, as an ordinary tensor."""
        return (self.codes.to(torch.float32) * self.scale).to(dtype or self.dtype)

    @property
    def num_bytes(self) -> int:
        """What it takes in memory."""
        return self.codes.numel() + 4 * self.scale.numel()

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"EightBit(shape={tuple(self.shape)}, dtype={self.dtype}, device={self.device})"

    # for moving a module with such weights to another device
    def __tensor_flatten__(self) -> tuple[list[str], torch.dtype]:
        return ["codes", "scale"], self.dtype

    @classmethod
    def __tensor_unflatten__(
        cls, parts: dict[str, Tensor], dtype: torch.dtype, size: Any, stride: Any
    ) -> EightBit:
        return cls(parts["codes"], parts["scale"], dtype)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # what happens at every token comes first, and keeps away from torch's slower ways
        if func is F.linear:
            return _linear(*args, **(kwargs or {}))
        if func is Tensor.to and len(args) == 2 and args[1] is args[0].computed_in:
            return args[0]
        along_rows = func in _OF_ROWS and (not kwargs or kwargs == {"dim": 0})
        if along_rows and (rows := _rows(func, *args)) is not None:
            return rows
        with ExitStack() as around:
            around.enter_context(torch._C.DisableTorchFunctionSubclass())
            if torch.is_inference_mode_enabled():  # it refuses views of tensors that were made outside it
                around.enter_context(torch.inference_mode(False))
                around.enter_context(torch.no_grad())
            return func(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        operation, first = func.overloadpacket, args[0] if args else None
        if isinstance(first, EightBit):
            if operation in _CONVERSIONS:
                like = func(first.scale.new_empty(0, dtype=first.dtype), *args[1:], **kwargs)
                if like.is_floating_point():
                    return first.each(lambda part: part.to(like.device), like.dtype)
            if operation is _aten.embedding:
                rows = args[1]
                return (first.codes[rows] * first.scale[rows]).to(first.dtype)
        for argument, given in zip(func._schema.arguments, args, strict=False):
            if isinstance(given, EightBit) and argument.alias_info and argument.alias_info.is_write:
                raise ConfigError(READ_ONLY)
        return func(*tree_map_only(EightBit, cls.floats, args), **tree_map_only(EightBit, cls.floats, kwargs))

    def each(self, change: Callable[[Tensor], Tensor], dtype: torch.dtype | None = None) -> EightBit:
        """The same with `change` applied to codes and scales."""
        return EightBit(change(self.codes), change(self.scale), dtype or self.computed_in)


READ_ONLY = (
    "Este modelo está com os pesos em 8 bits, que servem para responder e não para treinar nem guardar. "
    "Carregue-o de novo da pasta dele (LunaModel.from_pretrained), sem quantization na seção hardware da "
    "configuração."
)


def _rows(func: Any, weight: EightBit, *args: Any) -> Any:
    """What a method of `_OF_ROWS` does to the rows; None where it would tear them."""
    if func is Tensor.view:
        shape = args if isinstance(args[0], int) else args[0]
        if shape[-1] != weight.codes.shape[-1]:
            return None
        return weight.each(lambda part: part.view(*shape[:-1], part.shape[-1]))
    if len(args) > (func is not Tensor.unbind):  # another axis than the first
        return None
    if func is Tensor.__getitem__ and not isinstance(args[0], slice | int):
        return None
    if func is Tensor.__getitem__:
        return weight.each(lambda part: part[args[0]])
    parts = zip(func(weight.codes, *args), func(weight.scale, *args), strict=True)
    return tuple(EightBit(*pair, weight.computed_in) for pair in parts)


def _linear(x: Tensor, weight: Any, bias: Tensor | None = None) -> Tensor:
    """(…, I) by (O, I) -> (…, O). The scales are applied to the result, which is smaller than the weight."""
    if not isinstance(weight, EightBit):  # a weight in 8 bits stands in the place of the input
        return F.linear(x.floats() if isinstance(x, EightBit) else x, weight, bias)
    codes, scale = weight.codes, weight.scale
    if codes.numel() <= _BLOCK:
        y = _product(x, codes, scale)
    else:
        rows = max(1, _BLOCK // codes.shape[1])
        blocks = zip(codes.split(rows), scale.split(rows), strict=True)
        y = torch.cat([_product(x, *block) for block in blocks], dim=-1)
    return y if bias is None else y + bias.to(y.dtype)


def _product(x: Tensor, codes: Tensor, scale: Tensor) -> Tensor:
    if x.dtype == torch.float16:  # sums of whole numbers could pass its largest number
        return F.linear(x, (codes * scale).to(x.dtype))
    whole = F.linear(x, codes.to(x.dtype))
    return (whole * scale.squeeze(-1)).to(whole.dtype)


def as_stored(weight: Tensor, old: Tensor) -> nn.Parameter:
    """A new value of a weight in the form of the old one: its dtype, or 8 bits; not for training."""
    stored = EightBit.of(weight) if isinstance(old, EightBit) else weight.to(old.dtype)
    return nn.Parameter(stored, requires_grad=False)


def use_eight_bits(model: nn.Module, weights: list[nn.Parameter]) -> None:
    """Puts weights of a model into 8 bits, wherever they stand; the model becomes one for answering."""
    chosen = {id(weight): weight for weight in weights if not isinstance(weight, EightBit)}
    made: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            if id(weight) in chosen:  # a tied weight stands in two modules
                if id(weight) not in made:
                    made[id(weight)] = nn.Parameter(EightBit.of(weight), requires_grad=False)
                setattr(module, name, made[id(weight)])


def refuse_eight_bits(model: nn.Module) -> None:
    """
    Raises:
        ConfigError: weights of the model are in 8 bits.
    """
    if any(isinstance(weight, EightBit) for weight in model.parameters()):
        raise ConfigError(READ_ONLY)


def num_bytes(model: nn.Module) -> int:
    """Bytes of all parameters and buffers."""
    return sum(
        tensor.num_bytes if isinstance(tensor, EightBit) else tensor.numel() * tensor.element_size()
        for tensor in (*model.parameters(), *model.buffers())
    )
