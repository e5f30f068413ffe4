"""Explain a fitted model after everything is measured, and keep the explanation beside its predictions.

What is stored holds no picture: names of images, numbers, and maps that are drawn over the images by
whoever has them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from leukbench.explain.feature_groups import feature_groups
from leukbench.explain.heat_maps import heat_maps
from leukbench.explain.importance import importance
from leukbench.files import write_bytes, write_text
from leukbench.runfolder import HEAT_MAPS, IMPORTANCE


def explain_trial(
    estimator: Any, images: NDArray[np.uint8], predictions: pd.DataFrame, workdir: Path
) -> str:
    """Write `HEAT_MAPS` of a network or `IMPORTANCE` of the features of a pipeline to a folder.

    The test images have the shape (n, height, width, channels); the estimator's predictions of them
    are those of ``predictions.parquet``, row by row.

    Nothing is raised, as a trial does not fail for want of an explanation: returns why there is none,
    in one sentence, or an empty text.
    """
    try:
        if getattr(estimator, "model_", None) is not None:
            write_bytes(workdir / HEAT_MAPS, heat_maps(estimator, images, predictions))
            return ""
        pipeline = isinstance(estimator, Pipeline)
        groups = feature_groups(estimator[0], images.shape[3]) if pipeline else []
        if not groups:
            return "The meaning of this model's features is not known."
        table = importance(estimator, groups, images, predictions)
        write_text(workdir / IMPORTANCE, table.to_csv(index=False, lineterminator="\n"))
        return ""
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0][:300]
        return f"The explanation failed: {type(error).__name__} {reason}".strip()
