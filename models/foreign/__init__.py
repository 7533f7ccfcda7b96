"""Decoders that were made elsewhere, brought in without running any of their authors' code."""
