"""The app's own settings (environment variables EXPLORER_*) and the options that it gives Streamlit.

Streamlit reads `.streamlit/config.toml` from the working directory only, so an installed wheel carries a copy of
the file inside the package and `serve` passes its options on: one source of truth.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.errors import UserError

_PACKAGE = Path(__file__).resolve().parent


class Settings(BaseSettings):
    """What can be set from outside, as EXPLORER_HOST, EXPLORER_PORT and so on."""

    model_config = SettingsConfigDict(env_prefix="EXPLORER_")

    host: Annotated[str, Field(description="Address to listen on; 0.0.0.0 serves the local network")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Field(ge=1, le=65535, description="Port to listen on")] = 8501
    browser: Annotated[bool, Field(description="Open a browser window at the start")] = True
    warm_up: Annotated[bool, Field(description="Load torch in the background once a page is shown")] = True
    manage: Annotated[
        Literal["auto", "on", "off"],
        Field(
            description="Who may add, rename and delete models in the app; auto: who uses it on this machine"
        ),
    ] = "auto"
    train: Annotated[Literal["on", "off"], Field(description="Whether models can be trained in the app")] = (
        "on"
    )
    train_seconds: Annotated[
        int,
        Field(ge=1, le=7 * 86_400, description="Longest training that can be started in the app, in seconds"),
    ] = 3600
    jobs_each: Annotated[
        int, Field(ge=1, le=1000, description="Jobs of one browser that run or wait at a time")
    ] = 4
    live_connections: Annotated[
        int, Field(ge=1, le=100_000, description="Live connections of all browsers; one tab needs one")
    ] = 256
    live_connections_each: Annotated[
        int, Field(ge=1, le=1000, description="Live connections of one browser")
    ] = 12
    live_connections_address: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="Live connections of one address, behind which a class of 40 with four tabs each may be",
        ),
    ] = 160
    live_idle: Annotated[
        float,
        Field(gt=0, le=86_400, description="Seconds after which a live connection without requests ends"),
    ] = 900
    live_workers: Annotated[
        int, Field(ge=1, le=64, description="Threads that decode pictures for live connections")
    ] = 1


def settings() -> Settings:
    """Read the settings; raises UserError if a variable does not fit."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "EXPLORER_" + "_".join(str(part) for part in first["loc"]).upper()
        remedy = f"Correct {name} or unset it."
        raise UserError("bad-setting", f"{name} is not valid: {first['msg']}.", remedy) from None


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def streamlit_options() -> dict[str, Any]:
    """Return the options of `.streamlit/config.toml` by dotted name, from the checkout or from the wheel's copy."""
    places = (_PACKAGE.parent / ".streamlit", _PACKAGE / "_streamlit")
    path = next((folder / "config.toml" for folder in places if (folder / "config.toml").is_file()), None)
    return dict(_flat(tomllib.loads(path.read_text()))) if path else {}
