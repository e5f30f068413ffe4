"""A model of your own: the nearest training images, pixel by pixel."""

from leukbench.models.registry import ModelSpec

SPEC = ModelSpec(
    name="nearest_images",
    title="Nearest images",
    family="classical",
    target="newcomer_model:build",
    reference="Fix and Hodges 1951, Discriminatory Analysis",
    framework="sklearn",
    recipe="5 nearest neighbours on all pixel values.",
)


def build(random_state=None):
    """Make an unfitted scikit-learn classifier of images (n, height, width, channels)."""
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    return make_pipeline(FunctionTransformer(flatten), KNeighborsClassifier(5))


def flatten(images):
    return images.reshape(len(images), -1)
