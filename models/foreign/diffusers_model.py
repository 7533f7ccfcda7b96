"""An autoencoder of the library diffusers as a `LatentModel`: its spatial latent, flattened, is the vector z.

diffusers brings latents to a standard deviation of about 1 before a diffusion model sees them (Rombach et al., 2022,
arXiv:2112.10752, section 4.3.2 and appendix D.1); z is that, so encoded pictures are about as long as samples of
N(0, I). They are no samples of it: what makes z a picture, the diffusion model, is not here.

Needs the package of the extra `diffusers`.
"""

import importlib
import warnings
from collections.abc import Mapping
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load, save  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor, nn
from torch.nn import functional

from models.catalog import ModelInfo
from models.core import LatentModel, Posterior
from models.errors import UserError, reason
from models.foreign.configs import DiffusersConfig
from models.foreign.conventions import to_images, to_values
from models.foreign.layers import fill

_AT_ONCE = 8  # pictures, so that the layers at full resolution fit into memory
_ROWS = 64  # of the identity that go through the first layer at once
_REGIONS = 4  # to a side, that features are averaged over


def network_class(kind: str) -> Any:
    """Return a class of diffusers; raises UserError where the library is not installed or too old."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what else is installed
            return getattr(importlib.import_module("diffusers"), kind)
    except (
        ImportError,
        AttributeError,
        RuntimeError,
    ) as error:  # the last is how it words what it cannot import
        problem = f"The package 'diffusers', which has {kind}, is not installed."
        raise UserError(
            "no-diffusers", problem, "Install it: pip install 'latent-explorer[diffusers]'."
        ) from error


class DiffusersAutoencoder(LatentModel):
    """An autoencoder of diffusers.

    Args:
        config: Of what kind it is, and how its latents are standardised.
        net: An `AutoencoderTiny` or an `AutoencoderKL`.
    """

    def __init__(self, config: DiffusersConfig, net: nn.Module) -> None:
        super().__init__(config)
        self._how = config
        self.net: Any = net  # diffusers has no types that tell
        self._first: Tensor | None = None
        for name, values in (("centre", config.centre), ("spread", config.spread)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)
        self.centre: Tensor
        self.spread: Tensor

    def decode(
        self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        """Decode standardised latents, flattened, to images in [-1, 1]."""
        del labels
        made = [self.net.decode(part).sample for part in torch.split(self._spatial(z), _AT_ONCE)]
        return to_images(self._how, torch.cat(made))

    def encode(
        self, x: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"] | None = None
    ) -> Posterior:
        """Return q(z|x) for images in [-1, 1]; an AutoencoderTiny gives a code without variance."""
        del labels
        parts = [self._encoded(part) for part in torch.split(to_values(self._how, x), _AT_ONCE)]
        mean, logvar = (torch.cat(halves) for halves in zip(*parts, strict=True))
        mean = (mean - self.centre) / self.spread
        return Posterior(mean.flatten(1), (logvar - 2 * self.spread.log()).flatten(1))

    def first_layer(self) -> Float[Tensor, "dim dim"]:
        """Return a matrix R with R^T R = A^T A, where A is the affine map that latents meet first.

        A itself, a convolution (or two, with nothing between) written as a matrix, can have half a gigabyte. All that
        SeFa asks of it, the directions that it amplifies most and how much, R tells as well. The clamp before it in an
        AutoencoderTiny, 3 tanh(x / 3), is taken as the identity that it is at the origin.
        """
        if self._first is None:
            rows = torch.split(torch.eye(self.latent_dim, device=self.centre.device), _ROWS)
            gram = torch.cat([self._gram(part) for part in rows]).double()
            values, vectors = cast("tuple[Tensor, Tensor]", torch.linalg.eigh((gram + gram.T) / 2))  # pyright: ignore[reportUnknownMemberType]
            self._first = (vectors * values.clamp_min(0).sqrt()).T.float()
        return self._first

    def hidden(
        self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch features"]:
        """Return the features after the first non-linearity, averaged over 4x4 regions so that thousands fit."""
        del labels
        x, decoder = self._spatial(z), self.net.decoder
        if self._how.kind == "AutoencoderTiny":
            x = decoder.layers[:2](3 * torch.tanh(x / 3))
        else:
            for layer in self._entrance():
                x = cast(Tensor, layer(x))
            block = decoder.mid_block.resnets[0]
            x = block.nonlinearity(block.norm1(x))
        return functional.adaptive_avg_pool2d(x, min(_REGIONS, x.shape[-1])).flatten(1)

    def _spatial(self, z: Tensor) -> Tensor:
        return z.reshape(-1, *self._how.latent_shape) * self.spread + self.centre

    def _encoded(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and log variances of latents as diffusers has them, shape (B, C, h, w)."""
        found = self.net.encode(x)
        if self._how.kind == "AutoencoderTiny":
            return found.latents, torch.full_like(found.latents, -torch.inf)
        return found.latent_dist.mean, found.latent_dist.logvar

    def _entrance(self) -> list[nn.Conv2d]:
        """Return the convolutions that latents meet before anything that is not affine."""
        net = self.net
        if self._how.kind == "AutoencoderTiny":
            return [net.decoder.layers[0]]
        return [layer for layer in (net.post_quant_conv, net.decoder.conv_in) if layer is not None]

    @torch.no_grad()
    def _gram(self, rows: Tensor) -> Tensor:
        """Return A^T A of rows: through the convolutions without their biases, and back through their adjoints."""
        x = rows.reshape(-1, *self._how.latent_shape) * self.spread
        for layer in self._entrance():
            x = functional.conv2d(x, layer.weight, padding=layer.padding)
        for layer in reversed(self._entrance()):
            x = functional.conv_transpose2d(x, layer.weight, padding=cast("tuple[int, int]", layer.padding))
        return (x * self.spread).flatten(1)


def build(kind: str, settings: Mapping[str, Any]) -> nn.Module:
    """Build a network of diffusers on the device "meta", without weights.

    Raises:
        UserError: diffusers is not installed, or knows no such settings.
    """
    network = network_class(kind)
    try:
        with torch.device("meta"):
            return network(**settings)
    except Exception as error:  # of diffusers, which has no class of its own for this
        problem = f"diffusers cannot build this {kind}: {reason(error)}"
        raise UserError("bad-config", problem, "Import it again, or update diffusers.") from error


def to_bytes(model: DiffusersAutoencoder) -> bytes:
    """Return the weights of a model as the content of a safetensors file."""
    return save({name: value.contiguous() for name, value in model.net.state_dict().items()})


def open_checkpoint(info: ModelInfo, content: bytes) -> DiffusersAutoencoder:
    """Open an imported autoencoder whose file has been verified.

    Raises:
        UserError: diffusers is not installed, or the weights do not fit the config.
    """
    config = cast(DiffusersConfig, info.model)
    net = build(config.kind, config.settings)
    try:
        fill(net, load(content))
        model = DiffusersAutoencoder(config, net).eval()
        with torch.inference_mode():
            fits = model.decode(torch.zeros(1, model.latent_dim)).shape[1:] == info.sample_shape
        if not fits:
            raise ValueError("not the pictures that the config names")
    except (SafetensorError, RuntimeError, ValueError) as error:
        problem = f"The weights of '{info.id}' do not fit its config."
        raise UserError("weights-do-not-fit", problem, "Import it again.") from error
    return model
