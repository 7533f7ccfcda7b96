"""Widgets for the options of a training, made from the validated config: whatever is added there appears here."""

from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo

from explorer.text import N_, _
from models.choices import OPTIONS
from models.config import NEEDS_START
from models.families import options

# The few that matter, by family: what a lesson turns first.
_KNOBS: Mapping[str, Sequence[str]] = {
    "ae": ("latent_dim", "width", "learning_rate"),
    "vae": ("objective", "beta", "latent_dim", "learning_rate"),
    "cvae": ("objective", "beta", "latent_dim", "learning_rate"),
    "gan": ("loss", "penalty", "latent_dim", "learning_rate"),
    "cgan": ("loss", "penalty", "latent_dim", "learning_rate"),
    "vaegan": ("feature_weight", "beta", "latent_dim", "learning_rate"),
    "classifier": ("width", "shift", "learning_rate"),
}
# The names that options take, as papers write them.
_VALUES: Mapping[str, str] = {
    "adam": N_("Adam"),
    "bernoulli": N_("Bernoulli"),
    "beta": N_("β-VAE"),
    "btc": N_("β-TCVAE"),
    "capacity": N_("β-VAE with capacity"),
    "color": N_("Colour"),
    "conv": N_("Convolutional"),
    "cutout": N_("Cutout"),
    "elbo": N_("ELBO"),
    "flow": N_("Normalising flow"),
    "free-bits": N_("Free bits"),
    "gaussian": N_("Gaussian"),
    "gaussian-optimal": N_("Gaussian (optimal variance)"),
    "gmm": N_("Gaussian mixture"),
    "gp": N_("One-centred (WGAN-GP)"),
    "hinge": N_("Hinge"),
    "iwae": N_("IWAE"),
    "least-squares": N_("Least squares"),
    "logits": N_("Logits"),
    "minmax": N_("Minimax"),
    "mlp": N_("MLP"),
    "none": N_("None"),
    "nonsaturating": N_("Non-saturating"),
    "pixels": N_("Pixels"),
    "r1": N_("R1"),
    "r1r2": N_("R1 + R2"),
    "r2": N_("R2"),
    "relativistic": N_("Relativistic"),
    "sgd": N_("SGD"),
    "translation": N_("Translation"),
    "wae-mmd": N_("WAE-MMD"),
    "wasserstein": N_("Wasserstein"),
}
_COLUMNS = 4


def knobs(family: str, defaults: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Draw the few options that matter most; return those that are not as by default.

    Args:
        family: Of the model.
        defaults: What each option is if nobody touches it.
        key: Of the widgets; those of another one have values of their own.
    """
    return _draw(family, _KNOBS.get(family, ()), defaults, key)


def rest(family: str, defaults: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Draw all other options of a training from random weights; return those that are not as by default."""
    shown = _KNOBS.get(family, ())
    offered = (name for name, field in options(family).items() if field.json_schema_extra != NEEDS_START)
    return _draw(family, sorted(set(offered).difference(shown)), defaults, key)


def _draw(family: str, names: Sequence[str], defaults: Mapping[str, Any], key: str) -> dict[str, Any]:
    fields = options(family)
    known = [name for name in names if name in fields and name in defaults]
    chosen: dict[str, Any] = {}
    for start in range(0, len(known), _COLUMNS):
        row = known[start : start + _COLUMNS]
        for name, column in zip(row, st.columns(_COLUMNS, vertical_alignment="bottom"), strict=False):
            with column:
                value = widget(name, fields[name], defaults[name], f"{key}-{name}")
            if value != defaults[name]:
                chosen[name] = value
    return chosen


def widget(name: str, field: FieldInfo, default: Any, key: str) -> Any:
    """Draw the widget that suits an option, and return its value.

    Args:
        name: Of the option.
        field: What it can be.
        default: What it is at first.
        key: Of the widget.
    """
    label, hint = title(name), _(field.description or "")
    kinds = _kinds(field.annotation)
    if name in OPTIONS:
        named = list(OPTIONS[name])
        hint = f"{hint}\n\n{_legend(named)}"
    else:
        named = [value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)]
    if isinstance(default, bool):
        return st.toggle(label, default, key=key, persist_state="session", help=hint)
    if named and isinstance(default, (list, tuple)):
        several = list(cast("Sequence[str]", default))
        return st.multiselect(
            label, named, several, format_func=value_title, key=key, persist_state="session", help=hint
        )
    if named:
        first = named.index(default)
        return st.selectbox(
            label, named, first, format_func=value_title, key=key, persist_state="session", help=hint
        )
    # Without limits: a field keeps what is beyond them to itself. The config refuses that with a sentence.
    if type(None) in kinds:
        blank = _("automatic")
        return st.number_input(
            label,
            value=default,
            step=0.1,
            format="%g",
            key=key,
            persist_state="session",
            help=hint,
            placeholder=blank,
        )
    if int in kinds:
        return st.number_input(label, value=int(default), step=1, key=key, persist_state="session", help=hint)
    step = _step(float(default))
    return st.number_input(
        label, value=float(default), step=step, format="%g", key=key, persist_state="session", help=hint
    )


def title(name: str) -> str:
    """Word the name of an option: `learning_rate` is "Learning rate"."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def value_title(value: object) -> str:
    """Word what an option is: `free-bits` is "Free bits", 0.0001 is "0.0001"."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(value_title, cast("Sequence[object]", value))) or _("none")
    if value is None or isinstance(value, bool):
        return {None: _("automatic"), True: _("on"), False: _("off")}[value]
    if not isinstance(value, str):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return _(_VALUES[value]) if value in _VALUES else value


def _legend(names: Sequence[str]) -> str:
    """Say what values are called on the command line, and in what is said of other options."""
    return ", ".join(f"{value_title(name)}: `{name}`" for name in names)


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """Return what a value of an annotation can be: the members of a union, without what validates them."""
    origin = get_origin(annotation)
    return get_args(annotation) if origin in (Union, UnionType) else (annotation,)


def _step(value: float) -> float:
    """Return a step of a tenth of a number's own size: 0.0001 for 0.002."""
    return 10.0 ** (int(f"{value:e}".partition("e")[2]) - 1) if value else 0.1
