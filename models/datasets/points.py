"""What is known of a data set of points: their scale, and its modes. Torch-free."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Points:
    """A data set of points in the plane.

    Args:
        scale: What models see is a point divided by this, so that all lie in about [-1, 1].
        modes: Centres of the Gaussians that it is a mixture of, in its own units; none if it is another thing.
        sigma: Their standard deviation, in its own units.
    """

    scale: float
    modes: tuple[tuple[float, float], ...] = ()
    sigma: float = 0.0


_LINE = (-4.0, -2.0, 0.0, 2.0, 4.0)
_EIGHTHS = tuple(2 * math.pi * k / 8 for k in range(8))

# Spacing 2, sigma 0.05: Lin et al. (2018), PacGAN, arXiv:1712.04086, section 4.1.
GRID25 = Points(4.5, tuple((x, y) for y in _LINE for x in _LINE), 0.05)
# Radius 2, sigma 0.02: Metz et al. (2017), Unrolled GANs, arXiv:1611.02163, appendix.
RING8 = Points(2.25, tuple((2 * math.cos(angle), 2 * math.sin(angle)) for angle in _EIGHTHS), 0.02)
SPIRALS = Points(2.25)
MOONS = Points(1.75)
LINE = Points(1.25)
