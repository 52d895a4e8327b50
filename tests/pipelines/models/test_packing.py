"""Packed layers compute what torch's own do, in both precisions and at any length."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from firstpacket.pipelines.models import packing
from firstpacket.pipelines.models.packing import PackedConv, PackedConvTranspose, PackedLinear, TransposedLinear, pack

pytestmark = pytest.mark.skipif(not packing.can_pack(torch.zeros(1)), reason="this torch has no oneDNN operators")
DTYPES = [dtype for dtype in (torch.float32, torch.bfloat16) if packing.can_pack(torch.zeros(1, dtype=dtype))]


def twins(layer: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """What a layer says before and after packing."""
    holder = nn.Sequential(layer).requires_grad_(False)
    before = holder(x)
    pack(holder)
    return before, holder(x)


def assert_equal(ours: Tensor, plain: Tensor) -> None:
    loose = plain.dtype == torch.bfloat16
    torch.testing.assert_close(ours, plain, rtol=2e-2 if loose else 1e-4, atol=2e-2 if loose else 1e-5)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@settings(max_examples=15)
@given(rows=st.integers(1, 40), wide=st.integers(1, 70), narrow=st.integers(1, 70), bias=st.booleans())
def test_linear(dtype: torch.dtype, rows: int, wide: int, narrow: int, bias: bool) -> None:
    plain, ours = twins(nn.Linear(wide, narrow, bias=bias).to(dtype), torch.randn(rows, wide, dtype=dtype))
    assert_equal(ours, plain)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@settings(max_examples=15)
@given(n=st.integers(1, 60), kernel=st.sampled_from([1, 3, 7, 11]), dilation=st.sampled_from([1, 3, 5]))
def test_convolution(dtype: torch.dtype, n: int, kernel: int, dilation: int) -> None:
    layer = nn.Conv1d(16, 8, kernel, dilation=dilation, padding=(kernel - 1) * dilation // 2)
    plain, ours = twins(layer.to(dtype), torch.randn(1, 16, n, dtype=dtype))
    assert ours.transpose(1, 2).is_contiguous()
    assert_equal(ours, plain)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("kernel", "rate"), [(11, 5), (8, 4), (4, 2)])
@pytest.mark.parametrize("n", [1, 17])
def test_upsampling_and_strides(dtype: torch.dtype, kernel: int, rate: int, n: int) -> None:
    up = nn.ConvTranspose1d(16, 8, kernel, rate, padding=(kernel - rate) // 2)
    plain, ours = twins(up.to(dtype), torch.randn(1, 16, n, dtype=dtype))
    assert_equal(ours, plain)
    down = nn.Conv1d(16, 8, 3, stride=2, padding=1)
    plain, ours = twins(down.to(dtype), torch.randn(1, 16, n, dtype=dtype))
    assert_equal(ours, plain)


def test_a_large_layer_goes_to_onednn_and_a_small_one_does_not() -> None:
    wide = packing.SMALL_BYTES // 4 // 64
    for outputs, expected in ((wide, TransposedLinear), (wide + 1, PackedLinear)):
        layers = nn.Sequential(nn.Linear(64, outputs)).requires_grad_(False)
        x = torch.randn(3, 64)
        plain = layers(x)
        pack(layers)
        assert type(layers[0]) is expected
        assert_equal(layers(x), plain)


def test_a_gelu_becomes_part_of_the_layer_before() -> None:
    block = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8)).requires_grad_(False)
    x = torch.randn(5, 8)
    plain = block(x)
    pack(block)
    assert [type(part) for part in block] == [PackedLinear, nn.Identity, TransposedLinear]
    assert_equal(block(x), plain)


def test_packing_twice_changes_nothing_more() -> None:
    block = nn.Sequential(nn.Conv1d(4, 4, 3), nn.ConvTranspose1d(4, 4, 4, 2)).requires_grad_(False)
    pack(block)
    once = list(block)
    pack(block)
    assert list(block) == once
    assert [type(part) for part in once] == [PackedConv, PackedConvTranspose]


def test_other_precisions_and_machines_keep_torchs_own_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    half = nn.Sequential(nn.Linear(4, 4).half())
    pack(half)
    assert type(half[0]) is nn.Linear
    monkeypatch.setattr(packing, "OPERATORS", ("_an_operator_that_went_away",))
    single = nn.Sequential(nn.Linear(4, 4))
    pack(single)
    assert type(single[0]) is nn.Linear
