"""Maps: what a model knows, laid out in the plane. `models.embedding.maps` is what they are, torch-free."""
