"""Which trial is called degenerate: one that learned nothing, never one on an uneven test part."""

from __future__ import annotations

import numpy as np
import pandas as pd

from leukbench.trials.trial import why_degenerate


def predictions(cells: list[list[int]]) -> pd.DataFrame:
    pairs = [(t, p) for t, row in enumerate(cells) for p, n in enumerate(row) for _ in range(n)]
    truth, called = zip(*pairs, strict=True)
    names = np.array(["a", "b", "c"])
    return pd.DataFrame(
        {
            "image": [f"{i:04d}.png" for i in range(len(pairs))],
            "y_true": names[list(truth)],
            "y_pred": names[list(called)],
            "p_a": np.eye(3)[list(called), 0],
            "p_b": np.eye(3)[list(called), 1],
            "p_c": np.eye(3)[list(called), 2],
        }
    )


def test_one_class_predicted_of_several_is_degenerate() -> None:
    assert why_degenerate(predictions([[30, 0, 0], [10, 0, 0]]), None) == (
        "predicts a for every image"
    )


def test_a_tree_that_finds_the_rare_class_is_not() -> None:
    """40 images to 3: accuracy as the majority class's or below, and yet it learned."""
    assert why_degenerate(predictions([[38, 2, 0], [0, 3, 0]]), None) == ""
    assert why_degenerate(predictions([[37, 3, 0], [0, 3, 0]]), None) == ""


def test_guessing_is_degenerate() -> None:
    reason = why_degenerate(predictions([[20, 20, 0], [10, 10, 0]]), None)
    assert "no better than the majority class" in reason
    assert why_degenerate(predictions([[10, 30, 0], [10, 0, 0]]), None)


def test_a_test_part_of_one_class_is_the_splits_fault() -> None:
    assert why_degenerate(predictions([[30, 0, 0]]), None) == ""
    assert why_degenerate(predictions([[0, 30, 0]]), None) == ""


def test_a_loss_that_became_no_number_is_degenerate() -> None:
    history = pd.DataFrame({"loss": [1.0, np.nan]})
    assert "loss" in why_degenerate(predictions([[30, 0, 0], [0, 30, 0]]), history)
