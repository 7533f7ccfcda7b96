"""What recipes with a discriminator share: its step, its penalties, and what it tells a generator."""

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn

from models.choices import ADVERSARIAL_LOSSES, AUGMENTATIONS, OPTIMIZERS, PENALTIES
from models.config import AdversarialTraining, DiscriminatorConfig
from models.datasets import ImageData
from models.errors import UserError
from models.latent import generator, prior
from models.metrics.samples import of_samples
from models.networks import Discriminator
from models.objectives.penalties import Judged
from models.training.recipe import Batch, HeldOut, Recipe

_CHUNK = 256  # images that are made, or judged, at once
_MARGIN = 4  # stream of random numbers: of what changes the images that are judged


class AdversarialRecipe(Recipe):
    """Trains a discriminator, and whatever it judges.

    Args:
        model: What the networks are.
        config: How to train.
        device: Where.
    """

    live = Recipe.live | {
        "gamma", "final_gamma", "penalty_interval", "penalty_dense_steps", "critic_steps", "discriminator_rate",
    }  # fmt: skip
    judged = True
    config: AdversarialTraining

    def __init__(self, model: DiscriminatorConfig, config: AdversarialTraining, device: torch.device) -> None:
        super().__init__(config, device)
        if config.batch_size < model.packing:
            problem = (
                f"A batch of {config.batch_size} images is less than the {model.packing} of one judgement."
            )
            raise UserError("bad-option", problem, "Use a larger batch_size, or packing=1.")
        self.losses = ADVERSARIAL_LOSSES[config.loss]
        self.penalty = PENALTIES[config.penalty]
        self.augmentations = [AUGMENTATIONS[name] for name in config.augment]
        self._pixels = math.prod(model.sample_shape)
        self._packing = model.packing

    @property
    @abstractmethod
    def discriminator(self) -> Discriminator:
        """The network that tells real images from others."""

    def optimizer(self, part: nn.Module) -> torch.optim.Optimizer:
        """Return the optimiser of a network, as the options say."""
        return OPTIMIZERS[self.config.optimizer](part.parameters(), self.config)

    def rate(self, name: str) -> float:
        """Return the factor of the learning rate of an optimiser."""
        return self.config.discriminator_rate if name == "discriminator" else 1.0

    def whole_packs(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return the images of a batch and, of a conditional model, their labels, without what fills no pack."""
        count = len(batch.x) - len(batch.x) % self._packing
        labels = batch.labels if self.discriminator.label is not None else None
        return batch.x[:count], None if labels is None else labels[:count]

    def judge(self, x: Tensor, labels: Tensor | None, rng: torch.Generator) -> Tensor:
        """Return logits for images, augmented if so configured, shape (B / packing,)."""
        for augment in self.augmentations:
            x = augment(x, rng)
        with self.autocast():
            return self.discriminator(x, labels).float()

    def step_discriminator(
        self,
        real: Tensor,
        fake: Tensor,
        labels: Tensor | None,
        progress: float,
        step: int,
        rng: torch.Generator,
    ) -> dict[str, Tensor]:
        """Take one step of the discriminator.

        Args:
            real: Images, shape (B, C, H, W).
            fake: As many, without gradients.
            labels: Of both, shape (B,), or None.
            progress: Share of the training that is done.
            step: Steps before this one.
            rng: On the device.

        Returns:
            Scalars for people.
        """
        weight = self.penalty_weight(progress, step)
        real, fake = (x.detach().requires_grad_(weight > 0) for x in (real, fake))
        both = None if labels is None else torch.cat([labels, labels])
        real_logits, fake_logits = self.judge(torch.cat([real, fake]), both, rng).chunk(2)
        loss = self.losses.discriminator(real_logits, fake_logits)
        logits = {"d_real": real_logits.detach(), "d_fake": fake_logits.detach()}
        scalars = {
            "discriminator_loss": loss.detach(),
            "margin": (logits["d_real"] - logits["d_fake"]).mean(),
        }
        if self.losses.reading:
            scalars |= {name: self.losses.reading(value).mean() for name, value in logits.items()}
        if self.penalty and weight > 0:

            def judge(x: Tensor) -> Tensor:
                return self.judge(x, labels, rng)

            penalty = self.penalty.value(Judged(real, fake, real_logits, fake_logits, judge, rng))
            loss = loss + weight * penalty
            scalars["penalty"] = penalty.detach()
        self.descend("discriminator", loss)
        return scalars

    @torch.no_grad()
    def measured(self, held: HeldOut, latent_dim: int) -> dict[str, float]:
        """Measure samples of the averaged generator, for the latents of the first seeds, and the margin.

        The margin is that of a step, but of images that the discriminator never saw: where that of the training is
        much larger, it knows its images by heart (Karras et al., 2020, arXiv:2006.06676, equation 1).
        """
        real, count = held.data, held.samples
        z = prior(range(count), latent_dim).to(self.device)
        conditional = self.discriminator.label is not None
        index = torch.arange(count) % len(real)
        labels = real.labels_at(index, self.device) if conditional else None
        chunks = [slice(start, start + _CHUNK) for start in range(0, count, _CHUNK)]
        parts = [self.preview(z[some], None if labels is None else labels[some]) for some in chunks]
        fake = torch.cat([part for part in parts if part is not None])
        return {**of_samples(fake, real, held.judge), "margin": self._margin(real, fake)}

    def _margin(self, real: ImageData, fake: Tensor) -> float:
        some = slice(0, min(len(fake), _CHUNK))
        labels = None if real.labels is None else real.labels_at(some, self.device)
        x, labels = self.whole_packs(Batch(real.floats(some, self.device), labels, None, len(real)))
        rng = generator(0, _MARGIN, device=self.device)
        self.discriminator.eval()  # spectral normalisation must not take a step
        margin = self.judge(x, labels, rng).mean() - self.judge(fake[: len(x)], labels, rng).mean()
        self.discriminator.train()
        return float(margin)

    def gamma_at(self, progress: float) -> float:
        """Return the penalty's weight: strong while the two are far apart, weak when details are learned.

        Falls geometrically; Huang et al. (2024), arXiv:2501.05441, let it fall by a factor of ten.
        """
        if self.penalty is None:
            return 0.0
        start = self.penalty.gamma(self._pixels) if self.config.gamma is None else self.config.gamma
        return start * self.config.final_gamma**progress

    def penalty_weight(self, progress: float, step: int) -> float:
        """Return the weight of the penalty in one step; 0 in a step without.

        Lazy regularisation (Karras et al., 2020, arXiv:1912.04958, appendix B): rarer, but weighted more.
        """
        if step < self.config.penalty_dense_steps:
            return self.gamma_at(progress)
        due = step % self.config.penalty_interval == 0
        return self.gamma_at(progress) * self.config.penalty_interval if due else 0.0

    def generator_loss(
        self, real: Tensor, fake: Tensor, labels: Tensor | None, rng: torch.Generator
    ) -> Tensor:
        """Return what a generator minimises, a scalar; `descend` takes its gradient by the generator's weights only."""
        with torch.no_grad():  # they move no weight of the generator
            real_logits = self.judge(real, labels, rng)
        return self.losses.generator(real_logits, self.judge(fake, labels, rng))

    def waits(self, step: int) -> bool:
        """Tell whether the discriminator learns alone in a step."""
        return step < self.config.head_start or (step + 1) % self.config.critic_steps != 0
