"""Latent models: networks, training, latent-space mathematics, metrics. No user interface, no plotting."""
