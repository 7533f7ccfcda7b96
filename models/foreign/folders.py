"""Folders that libraries of others save their models in, told apart by the names of their files. Torch-free."""

import json
from pathlib import Path

PYTHAE_CONFIG, PYTHAE_WEIGHTS = "model_config.json", "model.pt"
DIFFUSERS_CONFIG, DIFFUSERS_WEIGHTS = "config.json", "diffusion_pytorch_model.safetensors"
_GENERIC = ("final_model", "vae")  # what the libraries themselves call a model's folder


def maker(folder: Path) -> str:
    """Return the library that saved a folder, a name in `models.foreign.importing.MAKERS`; empty if none is known."""
    if (folder / PYTHAE_CONFIG).is_file():
        return "pythae"
    if any(folder.glob("diffusion_pytorch_model*")) or _class_name(folder / DIFFUSERS_CONFIG):
        return "diffusers"
    return ""


def _class_name(file: Path) -> bool:
    """Tell whether a config names the class that it belongs to, as those of diffusers do."""
    try:
        data = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(data, dict) and "_class_name" in data


def title(folder: Path) -> str:
    """Return what to call the model in a folder; where that has the same name for every model, its parent's name."""
    where = folder.resolve()
    return where.parent.name if where.name in _GENERIC and where.parent.name else where.name
