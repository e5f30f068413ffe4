"""Which number format each network is trained in, chosen openly."""

from __future__ import annotations

from leukbench.models.registry import ModelSpec
from leukbench.run.environment import cpu_flags

FLOAT32 = "float32"
BFLOAT16 = "mixed_bfloat16"


def has_bfloat16_units() -> bool:
    """Whether the processor multiplies bfloat16 in hardware (AVX512-BF16 or AMX-BF16)."""
    return bool(cpu_flags() & {"avx512_bf16", "amx_bf16"})


def resolve_precision(spec: ModelSpec, setting: str) -> str:
    """The precision of a model's trials: the protocol's, or under ``auto`` the faster one.

    Returns
    -------
    str
        ``"float32"`` or ``"mixed_bfloat16"``; empty for models that know no choice.
    """
    if spec.framework != "keras":
        return ""
    if setting != "auto":
        return setting
    return BFLOAT16 if spec.bfloat16 and has_bfloat16_units() else FLOAT32
