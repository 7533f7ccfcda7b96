"""The shared choice of a model, in the sidebar, with what is known of it."""

from collections import Counter

import streamlit as st

from explorer import cache, state
from explorer.panels import following, problem
from explorer.text import _, count, duration, ngettext
from models import datasets, paths
from models.catalog import ModelInfo
from models.families import kind_of

ADDED = "picker-added"  # the name of a model that was added just now, on whatever page
_NOISY = 1.05  # times the sharpness of real pictures from which noise is part of it
_METRICS = {
    "sharpness_ratio": lambda: (
        _("Sharpness {value:.2f} × real"),
        _(
            "**Sharpness**: how strong the fine detail of samples is, by the variance of their Laplacian; 1 is as in "
            "real pictures, less is blurry. Noise counts as detail, too: more than 1 is not better."
        ),
    ),
    "psnr_db": lambda: (
        _("Reconstruction {value:.1f} dB"),
        _(
            "**Reconstruction** (PSNR): how close pictures come back after they were encoded and decoded; more is "
            "closer."
        ),
    ),
}


def show() -> None:
    """Draw the picker, and why some models cannot be opened; say once what was added."""
    if added := st.session_state.pop(ADDED, None):
        said = _("{name} is among your models now.").format(name=problem.literal(added))
        st.toast(said, icon=":material/check:")
    known, errors = cache.known(state.view().model), cache.models()[1]
    by_id = {info.id: info for info in known}
    titles = Counter(info.title for info in known)
    words = {
        i: t.title if t.shipped or titles[t.title] == 1 else f"{t.title} ({i})" for i, t in by_id.items()
    }
    name = state.view().model
    if known and name not in by_id:
        if name:
            gone = _("The model “{name}” is no longer there. {title} is shown instead.")
            state.choose_model(known[0].id)
            state.notify([gone.format(name=name, title=known[0].title)])
        else:
            state.choose_model(known[0].id)
        name = known[0].id
    with st.sidebar:
        if known:
            st.selectbox(
                _("Model"),
                list(by_id),
                format_func=lambda key: str(words.get(key, key)),
                help=_(
                    "A model turns points of its latent space into pictures. All pages show the same model."
                ),
                **state.controlled("pick-model", name, state.pick_model),
            )
            st.caption("  \n".join(problem.literal(fact) for fact in facts(by_id[name])))
            following.show(by_id[name])
        problem.listed(errors)


def chosen() -> ModelInfo | None:
    """Return the chosen model; where there is none, say what to do and return None."""
    name = state.view().model
    info = next((info for info in cache.known(name) if info.id == name), None)
    if info is None:
        st.markdown(_("There is no model to show yet. Train one, which takes about a minute:"))
        st.code("latent-explorer train --dataset digits --model vae", language="bash")
        text = _(
            "The command says at its end how it gets into the folder where models are looked for, {folder}."
        )
        st.caption(problem.literal(text.format(folder=paths.user_models())))
    return info


def _shape(info: ModelInfo) -> str:
    if len(info.sample_shape) != 3:
        return _("Points in the plane")
    channels, height, width = info.sample_shape
    colour = _("in colour") if channels == 3 else _("in grey")
    return _("Pictures of {width} × {height} pixels, {colour}").format(
        width=width, height=height, colour=colour
    )


def facts(info: ModelInfo) -> list[str]:
    """Return what is known of a model, a few words each."""
    card = info.card
    family = kind_of(info.family).title
    trained = _("{family}, trained on {dataset}").format(family=family, dataset=datasets.title(info.dataset))
    known = [
        trained if info.dataset else family,
        _shape(info),
        _("{parameters} parameters").format(parameters=count(info.parameters)),
    ]
    if dim := info.latent_dim:
        latent = ngettext("{dim} latent dimension", "{dim} latent dimensions", dim)
        known.insert(2, latent.format(dim=dim))
    if card.images:
        known.append(_("Saw {images} images in training").format(images=count(card.images)))
    if card.seconds:
        known.append(_("Took {time} on {device}").format(time=duration(card.seconds), device=card.device))
    known.append(_origin(info))
    known.append(_("Licence: {licence}").format(licence=card.licence))
    return known


def _origin(info: ModelInfo) -> str:
    if info.run:
        return _("From the runs on the page Train")
    return info.card.origin if info.shipped else _("From your own models folder")


def show_figures(info: ModelInfo) -> None:
    """Show the measured figures that say how the pictures of a model look, where its card has them."""
    found = {name: info.card.metrics[name].value for name in _METRICS if name in info.card.metrics}
    words = {name: _METRICS[name]() for name in found}
    if found:
        parts = [words[name][0].format(value=value) for name, value in found.items()]
        if found.get("sharpness_ratio", 0) > _NOISY:
            parts.insert(1, _("more than real: some of it may be noise"))
        st.caption(" · ".join(parts), help="  \n".join(hint for _text, hint in words.values()))


def latent_help() -> str:
    """Explain the first term of art."""
    return _(
        "A latent is the list of numbers from which a model makes a picture; all of them form its latent space."
    )
