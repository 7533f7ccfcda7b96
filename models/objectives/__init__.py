"""What training minimises, as pure functions. Their names, which options choose by, stand in `models.choices`."""
