import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from firstpacket.bench.stats.permutation import average_ranks


@given(st.lists(st.integers(-5, 5) | st.floats(-1e9, 1e9), max_size=40))
def test_ranks_are_those_of_scipy(values: list[float]) -> None:
    assert average_ranks(np.array(values, dtype=np.float64)).tolist() == rankdata(values).tolist()
