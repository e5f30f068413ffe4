"""Cohen's kappa, as a newcomer adds it: this entry, named once in `leukbench.score.metrics._BUILT_IN`."""

import numpy as np

from leukbench.score.arrays import FloatArray
from leukbench.score.counts import ratio
from leukbench.score.metrics import CountMetric


def kappa(counts: FloatArray) -> FloatArray:
    """Agreement beyond chance; counts are (true class, predicted class, resamples)."""
    total = counts.sum(axis=(0, 1))
    agreed = ratio(np.einsum("kk...->...", counts), total)
    by_chance = ratio((counts.sum(axis=1) * counts.sum(axis=0)).sum(axis=0), total**2)
    return ratio(agreed - by_chance, 1 - by_chance, 0.0)


KAPPA = CountMetric(
    name="kappa", title="Cohen's kappa", score=kappa, low=-1.0, in_comparison=True,
    definition="Agreement beyond chance over the most there can be (Cohen 1960, "
    "doi:10.1177/001316446002000104); 0 where chance alone agrees always.",
)  # fmt: skip
