"""Lays weights out for the CPU's matrix kernels once, at loading.

Torch's own layers repack a weight in every call, or skip that and use slower kernels. The packed ones compute the same
sums: large ones by oneDNN, small ones by a plain product of matrices, which takes less time than calling oneDNN. Call
`pack` after loading weights: the tensor names change.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

OPERATORS = (
    "_reorder_linear_weight",
    "_linear_pointwise",
    "_reorder_convolution_weight",
    "_convolution_pointwise",
    "_is_mkldnn_bf16_supported",
)
"""Internal operators of torch.compile that may go away: if one is missing, torch's own layers are used."""

SMALL_BYTES = 2 * 2**20
"""Up to this size (a core's second-level cache) a plain product is faster for any number of rows."""


@runtime_checkable
class Packable(Protocol):
    """A module that has a packed form of its own, of fewer operators than its parts would take."""

    def packed(self) -> nn.Module | None:
        """That form, or None where the weights cannot be packed."""


def can_pack(weight: Tensor) -> bool:
    """Whether oneDNN is there, with the operators used here, and takes this weight."""
    if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    known = all(hasattr(torch.ops.mkldnn, name) for name in OPERATORS)
    in_bfloat16 = weight.dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return known and (weight.dtype == torch.float32 or bool(in_bfloat16))


def pack(module: nn.Module) -> None:
    """Replace the linear layers, convolutions and `Packable` modules inside `module`, where that can be done.

    A GELU that follows a linear layer in an `nn.Sequential` becomes part of it.
    """
    if isinstance(module, nn.Sequential):
        _fuse_gelu(module)
    for name, child in list(module.named_children()):
        packed = _packed(child)
        if packed is None:
            pack(child)
        else:
            module.register_module(name, packed)


def _packed(layer: nn.Module) -> nn.Module | None:
    """The packed twin of a layer, if it has one."""
    if isinstance(layer, Packable):
        return layer.packed()
    if type(layer) is nn.Linear:
        return packed_linear(layer.weight, layer.bias) if can_pack(layer.weight) else None
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, Tensor) or not can_pack(weight):
        return None
    for kind, twin in _TWINS.items():
        if type(layer) is kind:
            return twin(layer)
    return None


def _fuse_gelu(layers: nn.Sequential) -> None:
    for index in range(len(layers) - 1):
        before, after = layers[index], layers[index + 1]
        exact = isinstance(after, nn.GELU) and after.approximate == "none"
        if exact and type(before) is nn.Linear and can_pack(before.weight):
            layers[index] = PackedLinear(before.weight, before.bias, "gelu")
            layers[index + 1] = nn.Identity()


def packed_linear(weight: Tensor, bias: Tensor | None = None) -> PackedLinear | TransposedLinear:
    """The form of `nn.Linear` that is the fastest for a weight `(out, in)` which can be packed."""
    small = weight.dtype == torch.float32 and weight.nbytes <= SMALL_BYTES
    return TransposedLinear(weight, bias) if small else PackedLinear(weight, bias)


def kernel_names(module: nn.Module) -> str:
    """Which matrix kernels a module uses, for the record of a run."""
    packed = any(isinstance(layer, PackedLinear | TransposedLinear) for layer in module.modules())
    return "oneDNN and BLAS, weights laid out at loading" if packed else "torch"


class TransposedLinear(nn.Module):
    """`nn.Linear` as a plain product: its weight lies in memory as the product reads it."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight = weight.detach().T.contiguous()
        self.bias = bias

    def forward(self, x: Tensor) -> Tensor:
        """`(..., in)` to `(..., out)`."""
        return x @ self.weight if self.bias is None else functional.linear(x, self.weight.T, self.bias)


class PackedLinear(nn.Module):
    """`nn.Linear` by oneDNN, and a GELU after it if `then` says so."""

    def __init__(self, weight: Tensor, bias: Tensor | None, then: Literal["none", "gelu"] = "none") -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach())
        self.bias = bias
        self.then = then

    def forward(self, x: Tensor) -> Tensor:
        """`(..., in)` to `(..., out)`."""
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, self.then, [], "none")
        return out


class PackedConv(nn.Module):
    """`nn.Conv1d` with its channels innermost in memory: no call turns the layout round, in or out."""

    def __init__(self, layer: nn.Conv1d) -> None:
        super().__init__()
        padding, stride, dilation = int(layer.padding[0]), layer.stride[0], layer.dilation[0]
        self.shape: tuple[Any, ...] = ([0, padding], [1, stride], [1, dilation], layer.groups)
        weight = layer.weight.detach()[:, :, None].contiguous(memory_format=torch.channels_last)
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *self.shape)
        self.bias = layer.bias

    def forward(self, x: Tensor) -> Tensor:
        """`(1, in, n)` to `(1, out, m)`, a view of memory `(m, out)`."""
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(
            channels_inside(x), self.weight, self.bias, *self.shape, "none", [], "none"
        )
        return out[:, :, 0]


class PackedConvTranspose(nn.Module):
    """`nn.ConvTranspose1d` with its channels innermost in memory."""

    def __init__(self, layer: nn.ConvTranspose1d) -> None:
        super().__init__()
        self.stride, self.padding = layer.stride[0], int(layer.padding[0])
        self.weight = layer.weight.detach()[:, :, None].to(memory_format=torch.channels_last)
        self.bias = layer.bias

    def forward(self, x: Tensor) -> Tensor:
        """`(1, in, n)` to `(1, out, m)`, a view of memory `(m, out)`."""
        return functional.conv_transpose2d(
            channels_inside(x), self.weight, self.bias, (1, self.stride), (0, self.padding)
        )[:, :, 0]


def channels_inside(x: Tensor) -> Tensor:
    """`(1, channels, n)` as `(1, channels, 1, n)` over memory `(n, channels)`; copied only if it lies otherwise."""
    _, channels, n = x.shape
    rows = x.transpose(1, 2)
    x = x if rows.is_contiguous() else rows.contiguous()
    return x.as_strided((1, channels, 1, n), (channels * n, 1, channels * n, channels))


_TWINS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv1d: PackedConv,
    nn.ConvTranspose1d: PackedConvTranspose,
}
