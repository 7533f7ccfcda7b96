"""How probable held-out images are to a VAE: the ELBO, and an estimate of log p(x) by importance sampling."""

import math
from typing import TYPE_CHECKING, cast

import torch
from jaxtyping import Float
from torch import Tensor

from models.core import Explains
from models.datasets.binary import binarised
from models.latent import generator
from models.metrics import LIKELIHOOD_IMAGES

if TYPE_CHECKING:
    from models.metrics.context import Context

_SAMPLES = 50
_BATCH = 20  # images, so that as many latents are decoded at once as elsewhere
_NOISE = 3  # stream of random numbers


def bounds(
    model: Explains,
    x: Float[Tensor, "batch channels height width"],
    labels: Tensor | None,
    samples: int,
    rng: torch.Generator,
    chunk: int = 10,
) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
    """Return the ELBO and an estimate of log p(x) of each image, in nats.

    With w = p(x, z) / q(z|x) for K samples z of q(z|x), the first is the mean of log w, the second the logarithm of
    the mean of w. Both are lower bounds of log p(x) in expectation; the second tends to it as K grows.

    Args:
        model: A VAE.
        x: Images in [-1, 1].
        labels: Classes, shape (B,), for a conditional model; else None.
        samples: K.
        rng: On the device of the images.
        chunk: Samples of each image that are decoded at once.

    References:
        Burda, Grosse & Salakhutdinov (2015), arXiv:1509.00519, equations 3 and 8.
    """
    q = model.posterior(x, labels)
    ratios: list[Tensor] = []
    for start in range(0, samples, chunk):
        count = min(chunk, samples - start)
        codes = torch.stack([q.sample(rng) for _ in range(count)])
        joint = model.log_likelihood(x, codes, labels) + model.log_prior(codes, labels)
        ratios.append(joint - q.log_prob(codes).sum(2))
    log_w = torch.cat(ratios)
    return log_w.mean(0), log_w.logsumexp(0) - math.log(samples)


@torch.no_grad()
def _each(context: "Context") -> dict[str, Tensor]:
    """Return the figures of each image; a model of black and white pixels sees it binarised."""
    model = cast(Explains, context.model)
    data = binarised(context.data) if model.binary else context.data
    rng = generator(context.seed, _NOISE, device=context.device)
    found: list[Tensor] = []
    for part in torch.split(context.chosen[:LIKELIHOOD_IMAGES], _BATCH):
        labels = data.labels_at(part, context.device) if context.latent_model.classes else None
        pair = bounds(model, data.floats(part, context.device), labels, _SAMPLES, rng)
        found.append(torch.stack(pair, 1).double().cpu())
    elbo, evidence = torch.cat(found).unbind(1)
    return {"nll_nats": -evidence, "negative_elbo_nats": -elbo}


def measure(context: "Context") -> dict[str, float]:
    """Measure the first held-out images."""
    return {name: float(values.mean()) for name, values in context.once(_each).items()}


def trace(context: "Context") -> dict[str, Tensor]:
    """Return the values of each image, in the order of `Context.chosen`."""
    return context.once(_each)
