"""What the two networks of a GAN minimise."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F

# Adversarial losses: (logits of real (B,), of fake (B,)) -> scalar; pairs share a label where conditional
PairLoss = Callable[[Tensor, Tensor], Tensor]


class AdversarialLoss(NamedTuple):
    """What the two networks of a GAN minimise.

    Args:
        discriminator: Its loss.
        generator: Its loss.
        reading: What to show of one logit alone, elementwise; None where it means nothing alone, because the loss
            is the same if a constant is added to all logits. See `probability` and `logit`.
    """

    discriminator: PairLoss
    generator: PairLoss
    reading: Callable[[Tensor], Tensor] | None = None


def probability(logits: Tensor) -> Tensor:
    """Return the probability that an image is real; the best discriminator says p / (p + q), where p = q 1/2.

    Goodfellow et al. (2014), arXiv:1406.2661, proposition 1: of the min-max and the non-saturating loss.
    """
    return logits.sigmoid()


def logit(logits: Tensor) -> Tensor:
    """Return the logit itself, where the loss says what it is to be for a real and for a fake image.

    With least squares 1 and 0, and of the best discriminator p / (p + q) (Mao et al., 2016, arXiv:1611.04076,
    equation 5); with the hinge loss 1 or more and -1 or less, and of the best one the sign of p - q.
    """
    return logits


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


def minmax_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the generator's side of the minimax game (Goodfellow et al., 2014, arXiv:1406.2661, equation 1).

    It saturates: where the discriminator is sure of a fake, the gradient is near zero.
    """
    del real
    return -F.softplus(fake).mean()


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the squared distances of real logits from 1 and of fake ones from 0.

    Mao et al. (2016), arXiv:1611.04076, equation 9: the 0-1 coding scheme.
    """
    return 0.5 * ((real - 1).square().mean() + fake.square().mean())


def least_squares_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the squared distance of fake logits from 1 (Mao et al., 2016, arXiv:1611.04076, equation 9)."""
    del real
    return 0.5 * (fake - 1).square().mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the hinge loss: logits beyond 1 on their own side cost nothing (Lim & Ye, 2017, arXiv:1705.02894)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Return the negative estimate of the Wasserstein distance (Arjovsky et al., 2017, arXiv:1701.07875, equation 2).

    It is one only if the critic is 1-Lipschitz: use it with the penalty `gp`, or with `spectral_norm`.
    """
    return fake.mean() - real.mean()


def linear_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the negative mean logit: the generator's side of the hinge and the Wasserstein loss."""
    del real
    return -fake.mean()


NONSATURATING = AdversarialLoss(nonsaturating_discriminator, nonsaturating_generator, probability)
MINMAX = AdversarialLoss(nonsaturating_discriminator, minmax_generator, probability)
LEAST_SQUARES = AdversarialLoss(least_squares_discriminator, least_squares_generator, logit)
HINGE = AdversarialLoss(hinge_discriminator, linear_generator, logit)
WASSERSTEIN = AdversarialLoss(wasserstein_critic, linear_generator)
RELATIVISTIC = AdversarialLoss(relativistic_discriminator, relativistic_generator)
