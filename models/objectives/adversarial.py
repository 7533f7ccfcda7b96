"""What the two networks of a GAN minimise."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F

# Adversarial losses: (logits of real (B,), of fake (B,)) -> scalar; pairs share a label where conditional
PairLoss = Callable[[Tensor, Tensor], Tensor]


class AdversarialLoss(NamedTuple):
    """What the two networks of a GAN minimise."""

    discriminator: PairLoss
    generator: PairLoss


def nonsaturating_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the discriminator's cross-entropy (Goodfellow et al., 2014, arXiv:1406.2661, equation 1)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def nonsaturating_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the generator's non-saturating loss (Goodfellow et al., 2014, arXiv:1406.2661, section 3)."""
    del real
    return F.softplus(-fake).mean()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the relativistic pairing loss: is the real one of a pair more real than the fake one?

    Jolicoeur-Martineau (2018), arXiv:1807.00734; Huang et al. (2024), arXiv:2501.05441, equation 2.
    """
    return F.softplus(fake - real).mean()


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the generator's side of the relativistic pairing loss."""
    return F.softplus(real - fake).mean()


NONSATURATING = AdversarialLoss(nonsaturating_discriminator, nonsaturating_generator)
RELATIVISTIC = AdversarialLoss(relativistic_discriminator, relativistic_generator)
