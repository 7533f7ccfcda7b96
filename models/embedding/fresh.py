"""Fresh samples on a map that is there, of its own model or of another, and how much of the real data they cover."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models import catalog, datasets
from models.catalog import ModelInfo
from models.core import LatentModel
from models.datasets import presence
from models.embedding.gather import classifier_of
from models.embedding.maps import Categories, EmbeddingMap, MapSpec, Source
from models.embedding.space import BATCH, Space
from models.judge import judge_of
from models.latent import default_labels, generator, prior
from models.metrics.fidelity import NEIGHBOURS, support
from models.render import decoder
from models.shared import Progress, unheard

_CHOICE = 9  # stream of random numbers: which real images are covered or not


@dataclass(frozen=True)
class Coverage:
    """How much of the real data samples reach.

    Args:
        share: Of the neighbourhoods (k = 5) of real images that hold a sample, in [0, 1].
        count: Real images, and as many samples.
        features: Whether near means alike in a classifier's features; else in pixels.
    """

    share: float
    count: int
    features: bool


def place_samples(
    space: Space, info: ModelInfo, who: ModelInfo, seeds: Sequence[int], progress: Progress = unheard
) -> EmbeddingMap:
    """Place samples on a map by their nearest neighbours in what was mapped.

    They are placed by their pictures, whoever made them: encoded by the map's model, as the map's classifier sees
    them, or by their pixels. So samples of two models can be compared, and lie where a real image that looks alike
    would. Only on a map of latents whose model cannot encode, samples of that model are placed by their latents.

    Args:
        space: Of the map.
        info: The map's model.
        who: Whose samples.
        seeds: Which.
        progress: Told the share that is done; may raise, to end it.

    Returns:
        A map of the samples alone, with their latents, at their places among the points of the other map.

    Raises:
        UserError: A model is not there, or the map's cannot see pictures of others, see `Sight.images`.
    """
    model = decoder(who.digest).model
    labels = default_labels(seeds, model.classes) if model.classes else None
    z = prior(seeds, model.latent_dim)
    rows: list[Tensor] = []
    own = who.digest == space.found.spec.model
    by_latent = own and space.found.spec.of == "latents" and not space.sight.encodes
    told = labels if who.labels == info.labels else None
    guess = _guess(info) if space.sight.encodes and info.labels and told is None else None
    for start in range(0, len(z), BATCH):
        some = slice(start, start + BATCH)
        given = None if labels is None else labels[some]
        with torch.inference_mode():
            if by_latent:
                rows.append(space.sight.samples(z[some], given))
            else:
                x = model.decode(z[some], given)
                rows.append(
                    space.sight.images(x, guess(x) if guess else told if told is None else told[some])
                )
        progress(min(1.0, (start + BATCH) / len(z)))
    positions = space.place(torch.cat(rows).float().numpy())
    known = {} if labels is None else {"label": Categories(labels.numpy().astype(np.int16), who.labels)}
    spec = MapSpec(model=who.digest, of=space.found.spec.of, count=max(3, len(z)), generated=len(z))
    sources = np.full(len(z), Source.GENERATED, np.uint8)
    return EmbeddingMap(spec, positions, z.numpy(), sources, np.asarray(seeds, np.int32), known)


def coverage(who: ModelInfo, seeds: Sequence[int], progress: Progress = unheard) -> Coverage:
    """Measure how much of the test images of a model's data set its samples cover.

    As many images as samples, always the same ones: with equal numbers samples that are like real images cover
    1 - 2^-5 of them, 97 %, however many there are.

    Args:
        who: The model.
        seeds: Of its samples.
        progress: Told the share that is done; may raise, to end it.

    Raises:
        UserError: The images are not on this machine, do not fit the model, or there are fewer than six.

    References:
        Naeem et al. (2020), arXiv:2002.09797, section 3, k = 5.
    """
    name = datasets.sized_for(who.dataset, who.model.size)
    presence.check(name, who.sample_shape)
    data = datasets.load(name, "test")
    count = min(len(seeds), len(data))
    chosen = torch.randperm(len(data), generator=generator(0, _CHOICE))[:count]
    judged = catalog.classifier_for(name, who.sample_shape) is not None
    see = classifier_of(who, name).features if judged else _flat
    model = decoder(who.digest).model
    real, fake = list[Tensor](), list[Tensor]()
    for start in range(0, count, BATCH):
        some = slice(start, min(start + BATCH, count))
        with torch.inference_mode():
            real.append(see(data.floats(chosen[some])))
            fake.append(see(_samples(model, seeds[some])))
        progress(some.stop / count)
    return Coverage(support(torch.cat(real), torch.cat(fake), NEIGHBOURS).coverage, count, judged)


def _samples(model: LatentModel, seeds: Sequence[int]) -> Tensor:
    labels = default_labels(seeds, model.classes) if model.classes else None
    return model.decode(prior(seeds, model.latent_dim), labels)


def _flat(x: Tensor) -> Tensor:
    return x.flatten(1)


def _guess(info: ModelInfo) -> Callable[[Tensor], Tensor]:
    """Return what tells a conditional encoder the class of pictures that nobody asked for by class."""
    classify = judge_of(datasets.sized_for(info.dataset, info.model.size), info.sample_shape).open()

    def labels(x: Tensor) -> Tensor:
        said = classify(x)
        return next(iter(said.values())).argmax(1)

    return labels
