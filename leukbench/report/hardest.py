"""The test images that most models get wrong."""

from __future__ import annotations

import pandas as pd

from leukbench.report.results import Results


def hardest_images(results: Results) -> pd.DataFrame:
    """Test images by how many of the ranked models get them wrong, hardest first.

    Columns ``image``, ``label`` (true class), ``wrong`` (mean over models of the share of trials in
    which the prediction is wrong, 0..1), ``models`` (models that tested it), ``called`` (the class
    that is most often predicted).
    """
    every = results.predictions
    every = every[every["model"].isin(results.ranked["model"])]
    every = every.assign(wrong=1.0 - every["right"])
    by_model = every.groupby(["image", "model"])["wrong"].mean().groupby("image")
    table = pd.DataFrame({"wrong": by_model.mean(), "models": by_model.size()})
    table["label"] = every.drop_duplicates("image").set_index("image")["y_true"]
    votes = every.groupby(["image", "y_pred"]).size().reset_index(name="votes")
    votes = votes.sort_values(["votes", "y_pred"], ascending=[False, True])
    table["called"] = votes.drop_duplicates("image").set_index("image")["y_pred"]
    table = table.reset_index().sort_values(["wrong", "image"], ascending=[False, True])
    return table[["image", "label", "wrong", "models", "called"]].reset_index(drop=True)


def hardest_csv(results: Results) -> str:
    """Return ``hardest.csv``: the images that at least one ranked model gets wrong."""
    table = hardest_images(results)
    return str(table[table["wrong"] > 0].to_csv(index=False, lineterminator="\n"))
