"""Whether a data set is here and fits a model, asked before it is loaded."""

from models import datasets
from models.errors import UserError


def check(name: str, shape: tuple[int, ...], *, fetch: bool = False) -> None:
    """Make sure that a data set can be loaded for models of a shape.

    Args:
        name: Of the data set; empty where nobody knows what a model was trained on.
        shape: Channels, height and width of the models' images.
        fetch: Whether it may be downloaded.

    Raises:
        UserError: It is not known, not on this machine while it may not be downloaded, or of another shape.
    """
    if not name:
        problem = "It is not known what the models were trained on."
        raise UserError("no-data", problem, "Choose models whose config names their data set.")
    if not fetch and not datasets.available(name):
        from models.datasets.standard import where_to_put

        raise UserError("no-data", f"The images of '{name}' are not on this machine.", where_to_put(name))
    if datasets.info(name).sample_shape != shape:
        problem = f"The images of '{name}' have another shape than those that the model makes."
        raise UserError("shape-mismatch", problem, "Choose the data set that the model was trained on.")
