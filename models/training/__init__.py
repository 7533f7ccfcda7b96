"""Training: the interface of a recipe, the loop that drives any recipe, and the folder of a run."""
