"""Which number format each network is trained in, and the precision measurement that decides it.

How much faster bfloat16 is on this machine is measured once in a child process, then remembered.

Two kinds of work are timed, forward and backward, as networks on small images do them: dense 3x3
convolutions (VGG, AlexNet, GoogLeNet), and an inverted residual block of depthwise convolutions and
normalisation (MobileNetV2), which is bound by memory and conversions.

What is remembered decides every later run, so a measurement beside other programs is made again, and
where the machine does not come to rest, the quietest one is taken and says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from leukbench.files import cache_dir, write_text
from leukbench.machine import available_cores, cpu_flags, machine_id, package_version
from leukbench.models.registry import ModelSpec
from leukbench.trials.device import gpu_environment, settle_tensorflow

FLOAT32 = "float32"
BFLOAT16 = "mixed_bfloat16"
WORTHWHILE = 1.1
"""Least measured speed-up for which ``auto`` leaves float32."""
KINDS = ("dense", "depthwise")
OTHERS = "others"
QUIET = 0.1
"""Largest share of the cores that other programs may take during a measurement."""
_PAIRS = 15
_ROUNDS = 3
_LIMIT_SECONDS = 180.0


def resolve_precision(spec: ModelSpec, setting: str, gpu: str = "") -> str:
    """``"float32"`` or ``"mixed_bfloat16"`` for a network; empty for models that have no choice.

    It is the protocol's, or under ``auto`` what was measured to be faster on this machine for the
    kernels that the model spends its time in. What is measured is the processor: on a `gpu`, ``auto``
    is float32.
    """
    if spec.framework != "keras":
        return ""
    if setting != "auto":
        return setting
    if gpu:
        return FLOAT32
    faster = bfloat16_speedups().get(spec.kernels, 0.0) >= WORTHWHILE
    return BFLOAT16 if faster else FLOAT32


def has_bfloat16_units() -> bool:
    """Whether the processor multiplies bfloat16 in hardware (AVX512-BF16 or AMX-BF16)."""
    return bool(cpu_flags() & {"avx512_bf16", "amx_bf16"})


@cache
def bfloat16_speedups() -> Mapping[str, float]:
    """Time in float32 over time in mixed bfloat16, for each of `KINDS`.

    Read from the cache folder; where this machine and version of TensorFlow are not there yet, it is
    measured, which takes about ten seconds, and three times as long on a machine that is not idle.

    Returns
    -------
    mapping of str to float
        By kind, and as ``"others"`` the share of the cores, 0 to 1, that other programs took
        meanwhile. Empty where the processor has no units for bfloat16, or where the measurement failed.
    """
    if not has_bfloat16_units():
        return {}
    stored = stored_speedups()
    if stored:
        return stored
    measured = _measure_in_child()
    if measured:
        write_text(_file(), json.dumps(measured, indent=2) + "\n")
    return measured


def stored_speedups() -> Mapping[str, float]:
    """What was measured before on this machine; empty where nothing was."""
    try:
        stored = json.loads(_file().read_text(encoding="utf-8"))
        return {kind: float(stored[kind]) for kind in KINDS} | {
            OTHERS: float(stored.get(OTHERS, 0))
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def describe_speedups(speedups: Mapping[str, float]) -> str:
    """The measurement in words.

    >>> describe_speedups({"dense": 2.5, "depthwise": 0.6})
    'bfloat16 is 2.5 times as fast as float32 in dense, 0.6 times in depthwise convolutions'
    """
    if not speedups:
        return "bfloat16 is not measured"
    first, second = (f"{speedups[kind]:g} times" for kind in KINDS)
    words = f"bfloat16 is {first} as fast as float32 in dense, {second} in depthwise convolutions"
    others = speedups.get(OTHERS, 0.0)
    if others > QUIET:
        words += (
            f"; other programs took {others:.0%} of the cores meanwhile: to measure again on an "
            f"idle machine, delete {_file()}"
        )
    return words


def _file() -> Path:
    version = package_version("tensorflow")
    return cache_dir() / f"bfloat16-{machine_id()}-tensorflow-{version}.json"


def _measure_in_child() -> Mapping[str, float]:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "leukbench.trials.precision"],
            capture_output=True,
            text=True,
            timeout=_LIMIT_SECONDS,
            check=True,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | gpu_environment(""),
        )
        speedups: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return {}
    return speedups


def measure() -> dict[str, float]:
    """Time both kinds in both precisions, as `bfloat16_speedups` gives it."""
    import tensorflow as tf

    settle_tensorflow("")
    tf.config.threading.set_intra_op_parallelism_threads(available_cores())
    steps = {kind: (_step(kind, FLOAT32), _step(kind, BFLOAT16)) for kind in KINDS}
    return _quietest(lambda: {kind: _speedup(*pair) for kind, pair in steps.items()})


def _quietest(work: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What `work` gives, from the first quiet one of up to `_ROUNDS` rounds, else the quietest."""
    rounds = []
    for _ in range(_ROUNDS):
        load = Load()
        rounds.append(work() | {OTHERS: round(load.others(), 2)})
        if rounds[-1][OTHERS] <= QUIET:
            break
    return min(rounds, key=lambda speedups: speedups[OTHERS])


def _speedup(slow: Callable[[], None], fast: Callable[[], None]) -> float:
    """Median ratio of the seconds of two steps that are taken in turn."""
    ratios = []
    for _ in range(_PAIRS):
        begun = time.perf_counter()
        slow()
        middle = time.perf_counter()
        fast()
        ratios.append((middle - begun) / (time.perf_counter() - middle))
    return round(median(ratios), 2)


class Load:
    """What other programs take of the cores that this process may use, from its making on."""

    def __init__(self) -> None:
        self._begun = self._now()

    def others(self) -> float:
        """Share of the cores, 0 to 1; time stolen by other virtual machines counts."""
        busy, idle, own = (b - a for a, b in zip(self._begun, self._now(), strict=True))
        total = busy + idle
        return min(max((busy - own) / total, 0.0), 1.0) if total > 0 else 0.0

    @staticmethod
    def _now() -> tuple[float, float, float]:
        """Seconds since the start of the system: busy and idle cores, this process."""
        import psutil

        process = psutil.Process()
        cores = psutil.cpu_times(percpu=True)
        if hasattr(process, "cpu_affinity"):  # not on macOS
            cores = [cores[core] for core in process.cpu_affinity() if core < len(cores)]
        idle = sum(core.idle + getattr(core, "iowait", 0.0) for core in cores)
        guests = ("guest", "guest_nice")  # part of user and nice
        total = sum(sum(core) - sum(getattr(core, name, 0.0) for name in guests) for core in cores)
        own = process.cpu_times()
        return total - idle, idle, own.user + own.system


def _step(kind: str, policy: str) -> Callable[[], None]:
    """A forward and backward pass of one kind in one precision, compiled and run once."""
    import keras
    import tensorflow as tf
    from keras import layers as L

    dense: list[Any] = [
        L.Conv2D(128, 3, padding="same", activation="relu", dtype=policy) for _ in range(3)
    ]
    depthwise: list[Any] = [
        L.Conv2D(144, 1, use_bias=False, dtype=policy),
        L.BatchNormalization(dtype=policy),
        L.ReLU(6.0, dtype=policy),
        L.DepthwiseConv2D(3, padding="same", use_bias=False, dtype=policy),
        L.BatchNormalization(dtype=policy),
        L.ReLU(6.0, dtype=policy),
        L.Conv2D(24, 1, use_bias=False, dtype=policy),
        L.BatchNormalization(dtype=policy),
    ]
    shape, stack = ((64, 12, 12, 128), dense) if kind == "dense" else ((64, 24, 24, 24), depthwise)
    network = keras.Sequential([keras.Input(shape[1:]), *stack])
    images = tf.random.stateless_normal(shape, seed=(0, 1))

    def gradients() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.cast(network(images, training=True), tf.float32) ** 2)
        return tape.gradient(loss, network.trainable_variables)

    compiled = tf.function(gradients)

    def step() -> None:
        for gradient in compiled():
            gradient.numpy()

    step()
    return step


if __name__ == "__main__":
    print(json.dumps(measure()))
