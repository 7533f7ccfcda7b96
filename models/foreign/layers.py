"""Networks of others as torch layers: a config lists them, so that their author's code is not needed.

Images can be inverted by it, and SeFa and GANSpace look at its layers as they do at those of models trained here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load, save  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor, nn

from models.catalog import ModelInfo
from models.core import LatentModel, Posterior
from models.errors import UserError
from models.foreign.configs import Layer, LayeredAutoencoderConfig, LayersConfig
from models.foreign.conventions import to_images, to_prior, to_values
from models.tables import Table

_ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid)


class Residual(nn.Module):
    """The sum of two ways."""

    def __init__(self, inner: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.inner, self.shortcut = inner, shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Return inner(x) + shortcut(x)."""
        return self.inner(x) + self.shortcut(x)


def _convolution(layer: Layer) -> nn.Module:
    sizes = (layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.padding)
    if layer.kind == "conv-transpose":
        return nn.ConvTranspose2d(*sizes, output_padding=layer.output_padding, bias=layer.bias)
    return nn.Conv2d(*sizes, bias=layer.bias)


LAYERS = Table[Callable[[Layer], nn.Module]](
    "layer",
    {
        "linear": lambda layer: nn.Linear(layer.inputs, layer.outputs, bias=layer.bias),
        "conv": _convolution,
        "conv-transpose": _convolution,
        "batch-norm": lambda layer: nn.BatchNorm2d(layer.outputs),
        "relu": lambda layer: nn.ReLU(),
        "leaky-relu": lambda layer: nn.LeakyReLU(0.2),
        "tanh": lambda layer: nn.Tanh(),
        "sigmoid": lambda layer: nn.Sigmoid(),
        "upsample": lambda layer: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
        "view": lambda layer: nn.Unflatten(1, (layer.outputs, layer.kernel, layer.kernel)),
        "flatten": lambda layer: nn.Flatten(),
        "residual": lambda layer: Residual(sequence(layer.inner), sequence(layer.shortcut)),
    },
)


def sequence(layers: Sequence[Layer]) -> nn.Sequential:
    """Build layers one after the other; none: the identity."""
    return nn.Sequential(*(LAYERS[layer.kind](layer) for layer in layers))


class LayeredDecoder(LatentModel):
    """A decoder whose config lists its layers."""

    def __init__(self, config: LayersConfig) -> None:
        super().__init__(config)
        self._how = config
        self.layers = sequence(config.layers)

    def decode(
        self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        """Decode latents in prior standard deviations to images in [-1, 1]."""
        del labels
        return to_images(self._how, self.layers(to_prior(self._how, z)))

    def first_layer(self) -> Float[Tensor, "out dim"]:
        """Return the weight that latents meet first, shape (out, D)."""
        first = self.layers[0]
        weight = cast(Tensor, first.weight)
        return weight.flatten(1).T if isinstance(first, nn.ConvTranspose2d) else weight

    def hidden(
        self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch features"]:
        """Return the features after the first non-linearity; where that is inside a block, those before the block."""
        del labels
        x = to_prior(self._how, z)
        for layer in self.layers:
            if isinstance(layer, Residual):
                break
            x = cast(Tensor, layer(x))
            if isinstance(layer, _ACTIVATIONS):
                break
        return x.flatten(1)


class LayeredAutoencoder(LayeredDecoder):
    """A decoder and an encoder whose config lists their layers; a linear layer each gives mean and log variance."""

    def __init__(self, config: LayeredAutoencoderConfig) -> None:
        super().__init__(config)
        self.encoder = sequence(config.encoder)
        self.mean = nn.Linear(config.features, config.latent_dim)
        self.logvar = None if config.deterministic else nn.Linear(config.features, config.latent_dim)

    def encode(
        self, x: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"] | None = None
    ) -> Posterior:
        """Return q(z|x) for images in [-1, 1]; without variance where the encoder is deterministic."""
        del labels
        features = self.encoder(to_values(self._how, x))
        mean = self.mean(features)
        return Posterior(
            mean, torch.full_like(mean, -torch.inf) if self.logvar is None else self.logvar(features)
        )


def build(config: LayersConfig) -> LayeredDecoder:
    """Build the networks that a config lists, with random weights; on the device "meta", without any."""
    return (
        LayeredAutoencoder(config) if isinstance(config, LayeredAutoencoderConfig) else LayeredDecoder(config)
    )


def fill(net: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give weights to a network on the device "meta", which takes no memory until they are known to fit it.

    Raises:
        ValueError: Names or shapes differ.
    """
    expected = {name: tensor.shape for name, tensor in net.state_dict().items()}
    if expected != {name: tensor.shape for name, tensor in state.items()}:
        raise ValueError("other names or shapes")
    net.to_empty(device="cpu").load_state_dict(state)


def to_bytes(model: LayeredDecoder) -> bytes:
    """Return the weights of a model as the content of a safetensors file."""
    return save({name: value.contiguous() for name, value in model.state_dict().items()})


def open_checkpoint(info: ModelInfo, content: bytes) -> LayeredDecoder:
    """Open an imported model whose file has been verified; raises UserError if it does not fit its config."""
    try:
        with torch.device("meta"):
            model = build(cast(LayersConfig, info.model)).eval()
        fill(model, load(content))
        with torch.inference_mode():
            x = model.decode(torch.zeros(1, model.latent_dim))
            fits = x.shape[1:] == info.sample_shape and isinstance(
                model.layers[0], nn.Linear | nn.ConvTranspose2d
            )
            if fits and isinstance(model, LayeredAutoencoder):
                model.encode(x)
        if not fits:
            raise ValueError("not the pictures that the config names")
    except (SafetensorError, RuntimeError, ValueError, AttributeError) as error:
        problem = f"The weights of '{info.id}' do not fit its layers."
        raise UserError("weights-do-not-fit", problem, "Import it again.") from error
    return model
