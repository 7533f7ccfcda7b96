"""The subcommands of `latent-explorer`, one module for each subject; `explorer.cli` puts them together.

None of them imports torch before it needs it, and none imports streamlit at all.
"""
