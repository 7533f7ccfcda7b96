"""The measurements behind `latent-explorer bench`."""
