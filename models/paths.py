"""Where things are: shipped assets, data sets, cache, runs, the user's models. The only place that knows.

Every folder can be moved by an environment variable; without one, the XDG base directories are used.

| variable | what | default |
|---|---|---|
| EXPLORER_HOME | models, runs and state together | $XDG_DATA_HOME/latent-explorer |
| EXPLORER_MODELS_DIR | models that the user trained or imported | $EXPLORER_HOME/models |
| EXPLORER_RUNS_DIR | training runs | $EXPLORER_HOME/runs |
| EXPLORER_STATE_DIR | what the app itself remembers | $EXPLORER_HOME/state |
| EXPLORER_DATA_DIR | data sets | $EXPLORER_HOME/data |
| EXPLORER_CACHE_DIR | what can be computed again | $XDG_CACHE_HOME/latent-explorer |
| EXPLORER_ASSETS_DIR | what the project ships | beside the code |
"""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_DEBIAN_DATASETS = Path("/usr/share/datasets")


def _folder(variable: str, default: Path) -> Path:
    value = os.environ.get(variable)
    return Path(value).expanduser().resolve() if value else default


def _xdg(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / default) / "latent-explorer"


def home() -> Path:
    """Return the folder of everything that belongs to the user and cannot be computed again."""
    return _folder("EXPLORER_HOME", _xdg("XDG_DATA_HOME", ".local/share"))


def user_models() -> Path:
    """Return the folder of the models that the user trained or imported."""
    return _folder("EXPLORER_MODELS_DIR", home() / "models")


def runs() -> Path:
    """Return the folder of training runs."""
    return _folder("EXPLORER_RUNS_DIR", home() / "runs")


def state() -> Path:
    """Return the folder of what the app itself remembers, such as the key that signs identities."""
    return _folder("EXPLORER_STATE_DIR", home() / "state")


def data() -> Path:
    """Return the folder where data sets are looked for first and downloaded to."""
    return _folder("EXPLORER_DATA_DIR", home() / "data")


def own_data() -> Path:
    """Return the folder of the data sets that a person took in."""
    return data() / "own"


def data_sources() -> tuple[Path, ...]:
    """Return the folders in which data sets are looked for, in this order."""
    return (data(), _DEBIAN_DATASETS)


def cache() -> Path:
    """Return the folder of what can be computed again."""
    return _folder("EXPLORER_CACHE_DIR", _xdg("XDG_CACHE_HOME", ".cache"))


def assets() -> Path:
    """Return the folder of shipped assets: `assets/` in a checkout, `models/_assets/` in an installed wheel."""
    bundled = _PACKAGE / "_assets"
    return _folder("EXPLORER_ASSETS_DIR", bundled if bundled.is_dir() else _PACKAGE.parent / "assets")


def shipped_checkpoints() -> Path:
    """Return the folder of the checkpoints that the project ships."""
    return assets() / "checkpoints"


def shipped_maps() -> Path:
    """Return the folder of the maps that the project ships."""
    return assets() / "maps"


def shipped_metrics() -> Path:
    """Return the folder of the figures of models that the project ships."""
    return assets() / "metrics"
