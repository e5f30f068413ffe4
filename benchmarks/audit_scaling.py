"""How the audit's time and memory grow with the number of images.

Run as ``python -m benchmarks.audit_scaling [--sizes 400,4000,20000,100000]``. The images are drawn
discs on a textured ground, 96 by 96 pixels, with planted copies: for every hundred images four pairs
of overlapping fields, one turned by 90 degrees and one identical. Each size is audited in a process
of its own, so that its peak memory is its own. Every number is SYNTHETIC.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from leukbench.audit.audit import audit
from leukbench.audit.findings import PARTNERS
from leukbench.data.folder import load_folder

SIDE = 96
CLASSES = ("a", "b")
HUNDRED = 100
OVERLAPPING, TURNED, SAME = range(0, 8, 2), 8, 10


def draw(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Discs of random size and colour on a textured ground."""
    ground = rng.normal(0, 12, (height // 8 + 2, width // 8 + 2, 3)).astype(np.float32)
    image = 215 + cv2.resize(ground, (width, height), interpolation=cv2.INTER_CUBIC)
    image = np.clip(image, 0, 255).astype(np.uint8)
    for _ in range(height * width // 330):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        colour = tuple(int(value) for value in rng.integers(60, 200, 3))
        cv2.circle(image, centre, int(rng.integers(4, 10)), colour, -1, cv2.LINE_AA)
    return image


def write_hundred(root: Path, number: int) -> list[tuple[str, str]]:
    """Write a hundred images, and give the pairs planted among them."""
    rng = np.random.default_rng(number)
    label = CLASSES[number % len(CLASSES)]
    images = []
    while len(images) < HUNDRED:
        if len(images) in OVERLAPPING:
            x, y = (int(shift) for shift in rng.integers(8, 32, 2))
            field = draw(rng, SIDE + y, SIDE + x)
            images += [field[:SIDE, :SIDE], field[y:, x:]]
        else:
            images.append(draw(rng, SIDE, SIDE))
            if len(images) - 1 == TURNED:
                images.append(np.ascontiguousarray(np.rot90(images[-1])))
            elif len(images) - 1 == SAME:
                images.append(images[-1])
    paths = [f"{label}/{number:05d}-{k:02d}.jpg" for k in range(HUNDRED)]
    for path, image in zip(paths, images, strict=True):
        coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        (root / path).write_bytes(coded.tobytes())
    return [(paths[k], paths[k + 1]) for k in (*OVERLAPPING, TURNED, SAME)]


def measure(root: Path, images: int, jobs: int) -> dict[str, float]:
    """Draw, audit, and compare with what was planted."""
    for label in CLASSES:
        (root / label).mkdir()
    planted = [frozenset(pair) for k in range(images // HUNDRED) for pair in write_hundred(root, k)]
    dataset = load_folder(root, jobs=jobs)
    before, begun, spent = _peak_mb(), time.perf_counter(), time.process_time()
    report = audit(dataset, jobs=jobs)
    seconds, processor = time.perf_counter() - begun, time.process_time() - spent
    found = {frozenset(finding.files) for finding in report.findings if finding.kind in PARTNERS}
    return {
        "images": images,
        "seconds": round(seconds, 1),
        "processor_seconds": round(processor, 1),
        "peak_mb": round(_peak_mb()),
        "before_mb": round(before),
        "recall": round(len(found.intersection(planted)) / len(planted), 4),
        "precision": round(len(found.intersection(planted)) / max(len(found), 1), 4),
        "candidates": float(report.settings["candidates"]),
        **{f"{stage}_seconds": value for stage, value in report.seconds.items()},
    }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one line of JSON a size, then the fitted exponents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="400,4000,20000,100000")
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    sizes = [int(size) for size in given.sizes.split(",")]
    if given.one is not None:
        print(json.dumps(measure(given.one, sizes[0], given.jobs)))
        return
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "benchmarks.audit_scaling", "--one", folder]
            options = ["--sizes", str(size), "--jobs", str(given.jobs)]
            environment = os.environ | {"LEUKBENCH_CACHE": folder + "-cache"}
            run = subprocess.run(
                command + options, stdout=subprocess.PIPE, check=True, env=environment
            )
        rows.append(json.loads(run.stdout))
        print("SYNTHETIC", json.dumps(rows[-1]), flush=True)
    if len(rows) > 1:
        logs = np.log([row["images"] for row in rows])
        for name in ("processor_seconds", "peak_mb"):
            slope = np.polyfit(logs, np.log([row[name] for row in rows]), 1)[0]
            print(f"{name} grows as images to the power of {slope:.2f}")


if __name__ == "__main__":
    main()
