"""The networks in PyTorch are those of leukbench."""

from __future__ import annotations

import pytest

from benchmarks.clock import NETWORKS
from leukbench.models import registry

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


@pytest.mark.parametrize("side", [50, 64])
@pytest.mark.parametrize("name", NETWORKS)
def test_they_have_as_many_parameters(name: str, side: int) -> None:
    from benchmarks.torch_networks import NETWORKS as OTHERS
    from benchmarks.torch_networks import parameter_count

    own = registry.create(name).build((side, side, 1), 4).count_params()
    assert parameter_count(OTHERS[name](1, side, 4)) == own
