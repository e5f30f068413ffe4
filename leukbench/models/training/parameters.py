"""Size and cost of every model at the paper's input, for people."""

from __future__ import annotations

from leukbench.models.registry import ModelSpec

PAPER_SHAPE = (50, 50, 1)
PAPER_CLASSES = 4


def count_parameters(spec: ModelSpec) -> list[str]:
    """Sentences on the number of parameters and the cost of a forward pass.

    Parameters
    ----------
    spec : ModelSpec
        Any model. A network is built (TensorFlow is imported); nothing is trained.

    Returns
    -------
    list of str
        Parameters and floating-point operations an image at 50x50x1 and four classes. Models that
        are no networks have no fixed number of parameters.
    """
    if spec.framework != "keras":
        return ["as many as the training data make"]
    import keras

    from leukbench.models.training.keras_cost import model_flops

    keras.backend.clear_session()
    network = spec.factory()().build(PAPER_SHAPE, PAPER_CLASSES)
    height, width, channels = PAPER_SHAPE
    return [
        f"{network.count_params():,} at {height}x{width}x{channels} and {PAPER_CLASSES} classes, "
        f"{model_flops(network) / 1e6:,.1f} million floating-point operations an image"
    ]
