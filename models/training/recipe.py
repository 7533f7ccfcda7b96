"""What a family brings to training; the loop in `models.training.loop` knows nothing else of it."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from models.config import ModelConfig, TrainingConfig
from models.core import Classifies, ImageModel
from models.datasets import ImageData
from models.errors import UserError
from models.networks import channels_last
from models.training import compiler

compiler.leave_out()


@dataclass(frozen=True)
class Batch:
    """Training images on the device.

    Args:
        x: Shape (B, C, H, W), in [-1, 1].
        labels: Classes (B,), or None where the data have none.
        factors: Known attributes (B, F), or None.
        population: Images in the training set that these were drawn from.
    """

    x: Tensor
    labels: Tensor | None
    factors: Tensor | None
    population: int


@dataclass(frozen=True)
class HeldOut:
    """What a validation is given.

    Args:
        data: Images that the training does not see, in random order.
        progress: Share of the budget that is used, in [0, 1]: schedules move the loss.
        population: Images in the training set.
        samples: How many samples to look at, where there are any.
        judge: A classifier with a head `label`, which says what samples show; None where there is none.
    """

    data: ImageData
    progress: float
    population: int
    samples: int
    judge: Classifies | None = None


class Ema:
    """An exponential moving average of a module's weights; it follows quickly at first, slowly later.

    Karras et al. (2018), arXiv:1710.10196; the ramp as in StyleGAN2-ADA (2020), arXiv:2006.06676.

    Args:
        average: The module that holds the average.
        source: The module that is trained.
        half_life: In images; 0 copies the weights.
        ramp: Half-life as a share of the images seen so far, while that is shorter.
    """

    def __init__(self, average: nn.Module, source: nn.Module, half_life: float, ramp: float = 0.1) -> None:
        self.average = average.eval().requires_grad_(False)
        self.half_life = half_life
        self.ramp = ramp
        self._to: list[Tensor] = list(average.parameters())
        self._from: list[Tensor] = list(source.parameters())
        self.average.load_state_dict(source.state_dict())

    @torch.no_grad()
    def update(self, batch_size: int, images: int) -> None:
        """Move towards the source after a step on `batch_size` images, `images` having been seen in all."""
        half_life = min(self.half_life, self.ramp * images)
        weight = 1 - 0.5 ** (batch_size / half_life) if half_life > 0 else 1.0
        torch._foreach_lerp_(self._to, self._from, weight)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]


class Recipe(ABC):
    """Trains one model: networks, their optimisers, a step, and what to show of it.

    Args:
        config: How to train; frozen.
        device: Where the networks are.

    A recipe draws random numbers only from the generator that it is given, so a step is a function of the
    state, the batch and that generator: runs can be repeated and resumed exactly.
    """

    live: ClassVar[frozenset[str]] = frozenset({"learning_rate", "final_learning_rate"})
    """Options that a step reads anew each time, so that they can be changed while it trains."""

    judged: ClassVar[bool] = False
    """Whether a validation looks at samples, and so has a use for a classifier."""

    def __init__(self, config: TrainingConfig, device: torch.device) -> None:
        self.config = config
        self.device = device
        self.modules: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}

    @abstractmethod
    def step(self, batch: Batch, progress: float, step: int, rng: torch.Generator) -> Mapping[str, Tensor]:
        """Take one optimisation step.

        Args:
            batch: Images.
            progress: Share of the budget that is used, in [0, 1]; it drives every schedule.
            step: Number of steps taken before this one.
            rng: On the device.

        Returns:
            Scalars on the device, by name; the loop reads them now and then, never each step.
        """

    @abstractmethod
    def preview(self, z: Tensor, labels: Tensor | None) -> Tensor | None:
        """Decode fixed latents with the averaged weights to images in [-1, 1]; None where there is no decoder."""

    def reconstruct(self, x: Tensor, labels: Tensor | None) -> Tensor | None:
        """Encode images in [-1, 1] and decode them again with the averaged weights; None without an encoder."""
        del x, labels

    @abstractmethod
    def validate(self, held: HeldOut) -> Mapping[str, float]:
        """Measure the averaged model on held-out images: where a step has a `loss`, that loss too.

        Changes nothing that a step reads, and gives the same numbers each time.
        """

    @abstractmethod
    def export(self, data: ImageData, brief: bool = False) -> ImageModel:
        """Return the model as it is shipped: averaged weights, in eval mode, on the CPU.

        Args:
            data: Training images, for what is fitted to them afterwards.
            brief: Training goes on: what takes long to fit is left as it is.
        """

    def prepare(self, data: ImageData) -> ImageData:
        """Return images as this recipe learns from them and validates on them: as they are, by default."""
        return data

    def adopt(self, model: ImageModel) -> None:
        """Begin with the weights of a trained model instead of random ones.

        By default of a model of the same family and shape only.

        Raises:
            UserError: Its weights do not fit.
        """
        mine = self.modules["model"]
        assert isinstance(mine, ImageModel)
        check_fits(model.config, mine.config, tuple(type(mine.config).model_fields))
        for module in self.modules.values():
            module.load_state_dict(model.state_dict())

    # Shared by all recipes -----------------------------------------------------------------------------

    def place(self, module: nn.Module) -> nn.Module:
        """Move a module to the device in the memory layout that is fastest there."""
        return channels_last(module.to(self.device))

    def set_learning_rate(self, progress: float) -> None:
        """Follow a cosine from the configured learning rate to its final share."""
        last = self.config.final_learning_rate
        share = last + (1 - last) * 0.5 * (1 + math.cos(math.pi * progress))
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self.config.learning_rate * share * self.rate(name)

    def rate(self, name: str) -> float:
        """Return the factor of the learning rate of one of the optimisers."""
        del name
        return 1.0

    def descend(self, name: str, loss: Tensor, *, clip: float = math.inf, retain: bool = False) -> None:
        """Take a step of one of the optimisers on a loss; other weights that it depends on get no gradient.

        Args:
            name: Of the optimiser.
            loss: A scalar.
            clip: Largest norm of the gradient.
            retain: Keep the graph for another loss that shares it.
        """
        optimizer = self.optimizers[name]
        weights: list[nn.Parameter] = [p for group in optimizer.param_groups for p in group["params"]]
        optimizer.zero_grad()
        loss.backward(inputs=weights, retain_graph=retain)  # pyright: ignore[reportUnknownMemberType]
        if clip < math.inf:
            nn.utils.clip_grad_norm_(weights, clip)
        compiler.step(optimizer)

    def autocast(self) -> torch.autocast:
        """Return the mixed-precision context: bf16 where the device computes it faster than fp32.

        Never over points: bf16 has a step of 0.004 below 1, and modes may be as narrow as that.
        """
        model = self.modules["model"]
        images = isinstance(model, ImageModel) and model.config.size > 0
        return torch.autocast(self.device.type, torch.bfloat16, enabled=images and has_fast_bf16(self.device))

    def state_dict(self) -> dict[str, Tensor]:
        """Return all that a resumed run needs, as flat tensors: no pickle anywhere."""
        state = {f"{name}.{k}": v for name, m in self.modules.items() for k, v in m.state_dict().items()}
        for name, optimizer in self.optimizers.items():
            for index, values in optimizer.state_dict()["state"].items():
                state |= {f"optimizer.{name}.{index}.{k}": torch.as_tensor(v) for k, v in values.items()}
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state_dict` returned."""
        for name, module in self.modules.items():
            prefix = f"{name}."
            module.load_state_dict(
                {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            )
        for name, optimizer in self.optimizers.items():
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            restored: dict[int, dict[str, Tensor]] = {}
            for key, value in state.items():
                kind, _, rest = key.partition(".")
                if kind == "optimizer" and rest.startswith(f"{name}."):
                    index, _, field = rest.removeprefix(f"{name}.").partition(".")
                    like = parameters[int(index)]
                    # Fused optimisers read memory in order: a moment must have the strides of its parameter.
                    same = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
                    restored.setdefault(int(index), {})[field] = value if value.ndim == 0 else same
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": restored, "param_groups": groups})


def check_fits(start: ModelConfig, mine: ModelConfig, fields: Sequence[str]) -> None:
    """Raise UserError if a model's weights cannot be those of another one: some fields of their configs differ."""
    different = [name for name in fields if getattr(start, name, None) != getattr(mine, name)]
    if different:
        raise does_not_fit(start, mine, different)


def does_not_fit(start: ModelConfig, mine: ModelConfig, fields: Sequence[str]) -> UserError:
    """Return the error that a training cannot begin with a model's weights because of these fields."""
    told = [
        f"{name} is {getattr(start, name, None)}, here it is {getattr(mine, name)}" for name in sorted(fields)
    ]
    problem = f"The training cannot start from these weights: {'; '.join(told)}."
    return UserError(
        "start-does-not-fit", problem, "Start from a checkpoint of the same shape, or from none."
    )


def has_fast_bf16(device: torch.device) -> bool:
    """Tell whether bf16 is computed in hardware: on CUDA from Ampere on, on CPUs with AVX-512 BF16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # pyright: ignore
    return False
