"""Child that trains one network in PyTorch, as `benchmarks.training` does in leukbench.

Channels last, bfloat16 by autocast, fused Adam, a new order of images every epoch, loss and accuracy
summed up: what a careful user of PyTorch on a CPU writes.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import Any

import torch
from torch.nn import functional

from benchmarks.torch_networks import NETWORKS, parameter_count

AUXILIARY_WEIGHT = 0.3


def describe() -> dict[str, Any]:
    """Version and threads."""
    return {"version": torch.__version__, "threads": torch.get_num_threads()}


def count(models: list[str], channels: int, side: int, classes: int) -> dict[str, Any]:
    """Number of parameters of each network."""
    return {
        "parameters": {n: parameter_count(NETWORKS[n](channels, side, classes)) for n in models}
    }


def train(
    model: str,
    precision: str,
    images: int,
    epochs: int,
    side: int,
    classes: int,
    batch: int,
    channels: int = 1,
) -> dict[str, Any]:
    """Fit one network to noise with random labels.

    Returns
    -------
    dict
        ``first_seconds``, ``epoch_seconds`` of the epochs after the first, and ``parameters``.
    """
    torch.manual_seed(0)
    x = torch.randint(0, 256, (images, channels, side, side), dtype=torch.uint8)
    x = x.contiguous(memory_format=torch.channels_last)
    y = torch.randint(0, classes, (images,))
    seconds = []
    begun = time.perf_counter()
    network = NETWORKS[model](channels, side, classes).to(memory_format=torch.channels_last)
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, eps=1e-7, fused=True)
    bfloat16 = precision == "mixed_bfloat16"
    for _ in range(epochs):
        order = torch.randperm(images)
        loss_sum, hits = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        for start in range(0, images, batch):
            chosen = order[start : start + batch]
            target = y[chosen]
            with torch.autocast("cpu", dtype=torch.bfloat16) if bfloat16 else nullcontext():
                outputs = network(x[chosen])
            heads = outputs if isinstance(outputs, list) else [outputs]
            losses = [functional.cross_entropy(head.float(), target) for head in heads]
            loss = losses[0] + AUXILIARY_WEIGHT * sum(losses[1:], torch.zeros(()))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach()
            hits += (heads[0].argmax(dim=1) == target).sum()
        float(loss_sum), int(hits)
        ended = time.perf_counter()
        seconds.append(ended - begun)
        begun = ended
    return {
        "first_seconds": seconds[0],
        "epoch_seconds": seconds[1:],
        "parameters": parameter_count(network),
    }
