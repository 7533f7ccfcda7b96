"""The networks that families share: latents to images, images to features, images to a verdict.

No normalisation layers: they tie the images of a batch together, and gradient penalties do not go with that
(Huang et al., 2024, arXiv:2501.05441, section 3). He initialisation keeps the scale of activations instead.
"""

import math
from collections.abc import Callable
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from models import vectors
from models.config import DiscriminatorConfig, GeneratorConfig, ModelConfig
from models.latent import generator
from models.vectors import SLOPE

_BASE = 4  # height and width of the smallest feature map
_FITTED = 4096  # latents that a mapping is compared to a linear one over


def initialise(module: nn.Module, last: float = 1.0) -> nn.Module:
    """Set He-normal weights for leaky ReLUs and zero biases; the last layer gets the gain `last`.

    He et al. (2015), arXiv:1502.01852, equation 14; a transposed convolution of stride s sees a fan-in of
    k^2 / s^2 inputs for each output.
    """
    layers = [m for m in module.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
    for layer in layers:
        fan = layer.weight[0].numel()
        if isinstance(layer, nn.ConvTranspose2d):
            fan = layer.weight.shape[0] * math.prod(layer.kernel_size) // math.prod(layer.stride)
        gain = math.sqrt(2 / (1 + SLOPE**2)) if layer is not layers[-1] else last
        nn.init.normal_(layer.weight, std=gain / math.sqrt(fan))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return module


def channels_at(config: ModelConfig, resolution: int) -> int:
    """Return the channels of feature maps of a resolution: `width` at half the image's, doubling downwards."""
    return min(config.width * config.size // (2 * resolution), 512)


class Enlarge(nn.ConvTranspose2d):
    """Feature maps of twice the height and width, refined by residual layers of 3x3 before the next non-linearity.

    Kernel 4 with stride 2: every output pixel sees the same number of inputs, so no checkerboard. Residual layers
    have their non-linearity before the convolution (He et al., 2016, arXiv:1603.05027).
    """

    def __init__(self, inputs: int, outputs: int, depth: int = 0) -> None:
        super().__init__(inputs, outputs, 4, stride=2, padding=1)  # pyright: ignore[reportUnknownMemberType]
        self.refine = nn.ModuleList(nn.Conv2d(outputs, outputs, 3, padding=1) for _ in range(depth))

    def begin_idle(self) -> None:
        """Let the residual layers add nothing at first: signals keep their scale, however deep the network is."""
        for layer in self.refine:
            assert isinstance(layer, nn.Conv2d)
            nn.init.zeros_(layer.weight)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, 2 H, 2 W)."""
        x = super().forward(input, output_size)
        for layer in self.refine:
            x = x + layer(F.leaky_relu(x, SLOPE))
        return x


class MappingNetwork(nn.Module):
    """Latents to latents of the same size, by residual layers that change nothing at first.

    A decoder is continuous, and so makes something between any two of its modes; how much of the prior falls there
    depends on how steep it is. StyleGAN's mapping network parts modes before the first convolution (Karras et al.,
    2018, arXiv:1812.04948, section 4); a residual one can be given to a decoder that is trained already. (Measured
    on mnist-gan, trained on: the mean confidence of a classifier in its samples was 0.932 after 190,000 more images
    without a mapping network, 0.956 after 512,000 with two layers, and 0.977 after 960,000 with four.)
    """

    def __init__(self, dim: int, depth: int) -> None:
        super().__init__()
        hidden = 4 * dim
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, hidden), nn.LeakyReLU(SLOPE), nn.Linear(hidden, dim))
            for _ in range(depth)
        )
        for block in self.blocks:
            initialise(block, last=0.0)

    def forward(self, z: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Bend latents."""
        for block in self.blocks:
            z = z + block(z)
        return z

    @torch.no_grad()
    def linear(self) -> Float[Tensor, "dim dim"]:
        """Return the linear map A that is closest to this one over the prior: f(z) is about A z and a constant.

        Least squares over `_FITTED` latents, the same each time.
        """
        weight = next(self.parameters())
        z = torch.randn(_FITTED, weight.shape[1], generator=generator(_FITTED)).to(weight.device)
        bent = self(z)
        z, bent = z - z.mean(0), bent - bent.mean(0)
        fitted = cast(Tensor, torch.linalg.solve(z.T @ z, z.T @ bent))  # pyright: ignore[reportUnknownMemberType]
        return fitted.T


class Palette(nn.Module):
    """A picture mixed from a few colours of its own, where maps say how much of each a pixel takes.

    Flat areas with crisp edges, as cartoons have, are hard to make of sums of filters and easy so: an edge is where
    one smooth map overtakes another. Layers with masks that sum to one are those of MONet (Burgess et al., 2019,
    arXiv:1901.11390, section 2); here a layer is one colour.
    """

    def __init__(self, features: int, maps: int, colours: int, channels: int) -> None:
        super().__init__()
        self.colours = nn.Linear(features, colours * channels)
        self.maps = nn.Conv2d(maps, colours, 3, padding=1)
        initialise(self.maps, last=0.1)  # nearly even: the picture begins flat, as it does without a palette
        initialise(self.colours, last=0.3)
        nn.init.uniform_(self.colours.bias, -1, 1)  # equal colours would all learn the same

    def forward(self, h: Float[Tensor, "batch features"], x: Tensor) -> Tensor:
        """Mix the colours of features (B, F) as maps of (B, M, H, W) say, shape (B, C, H, W)."""
        colours = self.colours(h).unflatten(1, (-1, self.maps.out_channels))
        return torch.einsum("bck,bkhw->bchw", colours, self.maps(x).softmax(1))


class Decoder(nn.Module):
    """Latents (B, D) to images (B, C, H, W), or points (B, 2), before any output non-linearity.

    A label enters by an embedding that is added to the first affine map, which is the same as a one-hot label
    concatenated to the latent.

    Args:
        config: Its shape.
        mapping: Residual layers before it, see `MappingNetwork`.
    """

    def __init__(self, config: GeneratorConfig, mapping: int = 0) -> None:
        super().__init__()
        self.config = config
        build: Callable[[GeneratorConfig, int], tuple[nn.Linear, nn.Sequential]] = (
            _DECODERS[config.network] if config.size else vectors.decoder
        )
        self.first, self.rest = build(config, config.latent_dim)
        self.activation = nn.LeakyReLU(SLOPE) if config.size else vectors.Sine()
        # Images that begin nearly grey are painted; ones that begin as noise must be cleaned first. (Measured after 500
        # steps of a GAN on avatars: 1.13 times the sharpness of real images, and 1.76 times with a gain of 1.)
        initialise(self, last=0.1 if config.size else 1.0)
        for layer in self.modules():
            if isinstance(layer, Enlarge):
                layer.begin_idle()
        self.mapping = MappingNetwork(config.latent_dim, mapping) if mapping else None
        if not config.size:
            vectors.spread(self.first, vectors.LATENT_FREQUENCY)
        self.label = nn.Embedding(config.classes, self.first.out_features) if config.classes else None
        if self.label is not None:
            nn.init.normal_(self.label.weight, std=1.0)
        self.palette: Palette | None = None
        if config.palette:
            self.palette = Palette(self.first.out_features, config.detail, config.palette, config.channels)

    def first_layer(self) -> Float[Tensor, "out dim"]:
        """Return the weight of the affine map that latents meet first; a mapping before it counts as linear."""
        weight = self.first.weight
        return weight if self.mapping is None else weight @ self.mapping.linear()

    def hidden(self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None) -> Tensor:
        """Return the features after the first non-linearity, shape (B, F)."""
        h = self.first(z if self.mapping is None else self.mapping(z))
        if self.label is not None:
            if labels is None:
                raise ValueError("a conditional decoder needs labels")
            h = h + self.label(labels)
        return self.activation(h)

    def forward(
        self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        """Map latents, and labels where conditional, to unbounded pixel values."""
        h = self.hidden(z, labels)
        if self.palette is None:
            return self.rest(h)
        x = self.rest[:-1](h)
        return self.rest[-1](x) + self.palette(h, x)


class Encoder(nn.Module):
    """Images (B, C, H, W), or points (B, 2), to features (B, F), after a non-linearity.

    Families put their own heads on it.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        build = _ENCODERS[config.network] if config.size else vectors.encoder
        self.net, self.out_features = build(config)
        initialise(self)
        first = self.net[0]
        if not config.size and isinstance(first, nn.Linear):
            vectors.spread(first, vectors.POINT_FREQUENCY)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features"]:
        """Map images to features."""
        return self.net(x)


class Discriminator(nn.Module):
    """Images to one logit each; a label enters by projection (Miyato & Koyama, 2018, arXiv:1802.05637).

    With `packing`, m neighbours of a batch are judged together, one above the other as channels: a generator that
    makes the same picture over and over gives itself away (Lin et al., 2018, arXiv:1712.04086, section 3). Their
    labels enter by the mean of their embeddings.

    With `spectral_norm`, every layer is divided by its largest singular value, which one power iteration a step
    follows (Miyato et al., 2018, arXiv:1802.05957, algorithm 1).
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.packing = config.packing
        packed = config.model_copy(update={"channels": config.channels * config.packing})
        self.features = Encoder(packed)
        self.logit = initialise(nn.Linear(self.features.out_features, 1))
        self.label = nn.Embedding(config.classes, self.features.out_features) if config.classes else None
        if self.label is not None:
            nn.init.normal_(self.label.weight, std=self.features.out_features**-0.5)
        if config.spectral_norm:
            for layer in [m for m in self.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.Embedding)]:
                spectral_norm(layer)

    def pack(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "packs channels height width"]:
        """Lay neighbours that are judged together over each other, shape (B / m, m C, H, W)."""
        return x if self.packing == 1 else x.reshape(-1, self.packing * x.shape[1], *x.shape[2:])

    def forward(
        self, x: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, " packs"]:
        """Return logits, shape (B,), or (B / m,) where m images are judged together."""
        h = self.features(self.pack(x))
        logits = self.logit(h)[:, 0]
        if self.label is not None:
            if labels is None:
                raise ValueError("a conditional discriminator needs labels")
            embedded = self.label(labels)
            embedded = embedded if self.packing == 1 else embedded.view(len(h), self.packing, -1).mean(1)
            logits = logits + (embedded * h).sum(1)
        return logits

    def score(
        self, x: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, " batch"]:
        """Return one logit for each image, which is shown with copies of itself where several are judged together."""
        repeated = None if labels is None else labels.repeat_interleave(self.packing)
        return self(x.repeat_interleave(self.packing, 0), repeated)


def _conv_decoder(config: GeneratorConfig, latent_dim: int) -> tuple[nn.Linear, nn.Sequential]:
    wide = channels_at(config, _BASE)
    first = nn.Linear(latent_dim, wide * _BASE**2)
    layers: list[nn.Module] = [nn.Unflatten(1, (wide, _BASE, _BASE))]
    resolution = _BASE
    while resolution < config.size:
        resolution *= 2
        full = resolution == config.size
        narrow = (config.detail or config.channels) if full else channels_at(config, resolution)
        layers.append(Enlarge(wide, narrow, 0 if full else config.depth))
        layers += [] if full and not config.detail else [nn.LeakyReLU(SLOPE)]
        wide = narrow
    # Without a non-linearity at full resolution, pixels are a linear map of coarser features: edges stay soft.
    layers += [nn.Conv2d(wide, config.channels, 3, padding=1)] if config.detail else []
    return first, nn.Sequential(*layers)


def _mlp_decoder(config: GeneratorConfig, latent_dim: int) -> tuple[nn.Linear, nn.Sequential]:
    hidden = 8 * config.width
    return nn.Linear(latent_dim, hidden), nn.Sequential(
        nn.Linear(hidden, hidden),
        nn.LeakyReLU(SLOPE),
        nn.Linear(hidden, math.prod(config.sample_shape)),
        nn.Unflatten(1, config.sample_shape),
    )


def _conv_encoder(config: ModelConfig) -> tuple[nn.Sequential, int]:
    layers: list[nn.Module] = []
    resolution, wide = config.size, config.channels
    while resolution > _BASE:
        resolution //= 2
        narrow = channels_at(config, resolution)
        layers += [nn.Conv2d(wide, narrow, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        wide = narrow
    return nn.Sequential(*layers, nn.Flatten()), wide * _BASE**2


def _mlp_encoder(config: ModelConfig) -> tuple[nn.Sequential, int]:
    hidden = 8 * config.width
    layers = (
        nn.Flatten(),
        nn.Linear(math.prod(config.sample_shape), hidden),
        nn.LeakyReLU(SLOPE),
        nn.Linear(hidden, hidden),
        nn.LeakyReLU(SLOPE),
    )
    return nn.Sequential(*layers), hidden


_DECODERS = {"conv": _conv_decoder, "mlp": _mlp_decoder}
_ENCODERS = {"conv": _conv_encoder, "mlp": _mlp_encoder}


def channels_last(module: nn.Module) -> nn.Module:
    """Lay the weights of convolutions out as NHWC, which tensor cores and oneDNN read without reordering."""
    return module.to(memory_format=torch.channels_last)
