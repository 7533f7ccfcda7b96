"""Why VAEs blur and GANs do not, in words and formulas: for the page and for the report."""

from dataclasses import dataclass

from explorer.text import N_


@dataclass(frozen=True)
class Reason:
    """One step of the explanation.

    Args:
        title: Its heading.
        words: A paragraph, plain text.
        latex: The formula, for the page.
        mathml: The same, for the report: browsers draw it without any script.
    """

    title: str
    words: str
    latex: str
    mathml: str


def _math(body: str) -> str:
    return f'<math display="block"><mrow>{body}</mrow></math>'


def _norm(body: str) -> str:
    return f"<msup><mrow><mo>‖</mo>{body}<mo>‖</mo></mrow><mn>2</mn></msup>"


_Q = "<mi>q</mi><mo>(</mo><mi>z</mi><mo>|</mo><mi>x</mi><mo>)</mo>"
_E_Q = f"<msub><mi>&#x1d53c;</mi><mrow>{_Q}</mrow></msub>"
_MU = "<mi>μ</mi><mo>(</mo><mi>z</mi><mo>)</mo>"
_G = "<mi>G</mi><mo>(</mo><mi>z</mi><mo>)</mo>"

AVERAGE = Reason(
    N_("The VAE is asked for every pixel"),
    N_(
        "Its objective, the ELBO, compares the decoder's picture μ(z) with the image x pixel by pixel, for codes z "
        "that the encoder draws, and wants these codes to look like the prior. The weight β says how much."
    ),
    r"\begin{aligned} \mathcal{L} = {}& \mathbb{E}_{q(z|x)}\big[\log p(x|z)\big] \\ & - \beta\, \mathrm{KL}"
    r"\big(q(z|x)\,\|\,p(z)\big) \\ \log p(x|z) = {}& -\frac{\|x - \mu(z)\|^2}{2\sigma^2} + c \end{aligned}",
    _math(
        f"<mi>&#x2112;</mi><mo>=</mo>{_E_Q}<mo>[</mo><mi>log</mi><mi>p</mi>"
        "<mo>(</mo><mi>x</mi><mo>|</mo><mi>z</mi><mo>)</mo>"
        f"<mo>]</mo><mo>−</mo><mi>β</mi><mi>KL</mi><mo>(</mo>{_Q}<mo>‖"
        "</mo><mi>p</mi><mo>(</mo><mi>z</mi><mo>)</mo>"
        "<mo>)</mo><mo>,</mo><mspace width='1em'/><mi>log</mi><mi>p"
        "</mi><mo>(</mo><mi>x</mi><mo>|</mo><mi>z</mi>"
        "<mo>)</mo><mo>=</mo><mo>−</mo><mfrac>"
        f"<mrow>{_norm(f'<mi>x</mi><mo>−</mo>{_MU}')}</mrow><mrow><mn>2</mn>"
        "<msup><mi>&sigma;</mi><mn>2</mn></msup></mrow></mfrac><mo>+</mo><mi>c</mi>"
    ),
)
MEAN = Reason(
    N_("So its best picture is a mean"),
    N_(
        "Codes of different images overlap. Where they do, squared error is least at the mean of all images that z "
        "could stand for; a Bernoulli likelihood leads to the same mean. Where edges of these images lie in different "
        "places, their mean has none: that is the blur. A larger β makes more codes overlap."
    ),
    r"\begin{aligned} \mu^*(z) &= \arg\min_{\mu} \mathbb{E}\big[\|x - \mu\|^2 \,\big|\, z\big] \\"
    r"&= \mathbb{E}[x \,|\, z] = \frac{\sum_i q(z|x_i)\, x_i}{\sum_i q(z|x_i)} \end{aligned}",
    _math(
        "<msup><mi>μ</mi><mo>*</mo></msup><mo>(</mo><mi>z</mi><mo>)"
        "</mo><mo>=</mo><munder><mi>arg min</mi><mi>μ</mi>"
        "</munder><mi>&#x1d53c;</mi><mo>["
        f"</mo>{_norm('<mi>x</mi><mo>−</mo><mi>μ</mi>')}<mo>|</mo><mi>z</mi><mo>]</mo><mo>=</mo>"
        "<mi>&#x1d53c;</mi><mo>[</mo><mi>x</mi><mo>|</mo><mi>z</mi><mo>]</mo>"
        "<mo>=</mo><mfrac><mrow><munder><mo>∑</mo><mi>i</mi>"
        "</munder><mi>q</mi><mo>(</mo><mi>z</mi><mo>|</mo><msub><mi>x"
        "</mi><mi>i</mi></msub><mo>)</mo><msub><mi>x</mi>"
        "<mi>i</mi></msub></mrow><mrow><munder><mo>∑</mo><mi>i</mi>"
        "</munder><mi>q</mi><mo>(</mo><mi>z</mi><mo>|</mo>"
        "<msub><mi>x</mi><mi>i</mi></msub><mo>)</mo></mrow></mfrac>"
    ),
)
MODE = Reason(
    N_("The GAN is asked only: real or not?"),
    N_(
        "Its generator is never compared with one image. The discriminator has never seen a mean of images among real "
        "ones, so making one costs; any single sharp image of the many costs little. The price is diversity: nothing "
        "asks the generator for all of them, and it may drop some."
    ),
    r"\begin{aligned} \min_G \max_D \;& \mathbb{E}_{x}\big[\log D(x)\big] \\"
    r"& + \mathbb{E}_{z}\big[\log\big(1 - D(G(z))\big)\big] \end{aligned}",
    _math(
        "<munder><mi>min</mi><mi>G</mi></munder><mspace width='0.3em'/><munder><mi>max</mi><mi>D"
        "</mi></munder><msub><mi>&#x1d53c;</mi><mi>x</mi></msub>"
        "<mo>[</mo><mi>log</mi><mi>D</mi><mo>(</mo><mi>x</mi><mo>)</mo><mo>]"
        "</mo><mo>+</mo><msub><mi>&#x1d53c;</mi><mi>z</mi>"
        "</msub><mo>[</mo><mi>log</mi><mo>(</mo><mn>1</mn><mo>−</mo><mi>D</mi><mo>(</mo>"
        f"{_G}<mo>)</mo><mo>)</mo><mo>]</mo>"
    ),
)
REASONS = (AVERAGE, MEAN, MODE)
SOURCES = N_(
    "Kingma & Welling (2013), arXiv:1312.6114; Higgins et al. (2017), β-VAE; Goodfellow et al. (2014), "
    "arXiv:1406.2661. The GANs that the project trains use a relativistic loss with gradient penalties (Huang et al., "
    "2024, arXiv:2501.05441): another form of the same question."
)
