"""Small models take their steps in one thread, and leave the number of threads as it was."""

from __future__ import annotations

import torch
from torch import nn

from firstpacket.pipelines.models.threads import ONE_CORE_BYTES, fits_one_core, one_thread


def test_only_models_of_small_matrices_fit_one_core() -> None:
    small, large = nn.Linear(64, ONE_CORE_BYTES // 256), nn.Linear(64, ONE_CORE_BYTES // 256 + 1)
    assert fits_one_core(small)
    assert not fits_one_core(small, large)
    assert not fits_one_core(nn.Linear(2, 2, device="meta"))


def test_the_number_of_threads_comes_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread(False):
            assert torch.get_num_threads() == 2
        with one_thread(), one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
