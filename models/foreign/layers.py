"""A decoder of others as torch layers: its config lists them, so that its author's code is not needed.

Images can be inverted by it, and SeFa and GANSpace look at its layers as they do at those of models trained here.
"""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load, save  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor, nn

from models.catalog import ModelInfo
from models.core import LatentModel
from models.errors import UserError
from models.foreign.configs import Layer, LayersConfig
from models.foreign.conventions import to_images, to_prior
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
    kind = nn.ConvTranspose2d if layer.kind == "conv-transpose" else nn.Conv2d
    return kind(layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.padding, bias=layer.bias)


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


def to_bytes(model: LayeredDecoder) -> bytes:
    """Return the weights of a decoder as the content of a safetensors file."""
    return save({name: value.contiguous() for name, value in model.state_dict().items()})


def open_checkpoint(info: ModelInfo, content: bytes) -> LayeredDecoder:
    """Open an imported decoder whose file has been verified."""
    try:
        model = LayeredDecoder(cast(LayersConfig, info.model)).eval()
        model.load_state_dict(load(content))
        with torch.inference_mode():
            fits = model.decode(torch.zeros(1, model.latent_dim)).shape[1:] == info.sample_shape
        if not fits or not isinstance(model.layers[0], nn.Linear | nn.ConvTranspose2d):
            raise ValueError("not the pictures that the config names")
    except (SafetensorError, RuntimeError, ValueError, AttributeError) as error:
        problem = f"The weights of '{info.id}' do not fit its layers."
        raise UserError("weights-do-not-fit", problem, "Import it again.") from error
    return model
