"""Training as most tutorials write it: what `bench train` compares with. Slow on purpose, wrong nowhere."""

from collections.abc import Callable, Iterator
from typing import cast

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from models.choices import ADVERSARIAL_LOSSES, LIKELIHOODS, PENALTIES
from models.config import AutoencoderTraining, GanTraining
from models.core import LatentModel
from models.gan import Gan
from models.objectives.penalties import Judged
from models.vae import Autoencoder


class PilImages(Dataset[Tensor]):
    """Images as torchvision's data sets give them: a PIL image each, then the usual transforms."""

    def __init__(self, images: Tensor) -> None:
        from torchvision import transforms

        self.images = images
        self.transform = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))],
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        pixels = self.images[index]
        array = pixels[0] if len(pixels) == 1 else pixels.permute(1, 2, 0)
        return cast(Tensor, self.transform(Image.fromarray(array.numpy())))


def batches(images: Tensor, batch_size: int, device: torch.device) -> Iterator[Tensor]:
    """Yield batches in [-1, 1] without end, shuffled anew in each epoch."""
    loader = DataLoader(PilImages(images), batch_size, shuffle=True, num_workers=0, drop_last=True)
    while True:
        for x in loader:
            yield x.to(device)


def vae_step(model: LatentModel, data: Iterator[Tensor], config: AutoencoderTraining) -> Callable[[], float]:
    """Return a function that takes one step on the negative ELBO."""
    vae = cast(Autoencoder, model)
    optimizer = torch.optim.Adam(vae.parameters(), lr=config.learning_rate)
    likelihood = LIKELIHOODS[vae.likelihood]

    def step() -> float:
        x = next(data)
        optimizer.zero_grad()
        posterior = vae.posterior(x, None)
        z = posterior.mean + torch.exp(0.5 * posterior.logvar) * torch.randn_like(posterior.mean)
        reconstruction = vae.decoder(z)
        loss = (likelihood(reconstruction, x, vae.log_sigma) + posterior.kl().sum(1)).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1e4)
        optimizer.step()
        return loss.item()

    return step


def gan_step(model: LatentModel, data: Iterator[Tensor], config: GanTraining) -> Callable[[], float]:
    """Return a function that takes one step of the discriminator and one of the generator."""
    gan = cast(Gan, model)
    generator, discriminator = gan.generator, gan.discriminator
    betas = (config.beta1, config.beta2)
    generator_optimizer = torch.optim.Adam(generator.parameters(), lr=config.learning_rate, betas=betas)
    discriminator_optimizer = torch.optim.Adam(
        discriminator.parameters(), lr=config.learning_rate, betas=betas
    )
    discriminator_loss, generator_loss, *_ = ADVERSARIAL_LOSSES[config.loss]
    penalty = PENALTIES[config.penalty]
    rng = torch.Generator(device=next(gan.parameters()).device)
    taken = 0

    def step() -> float:
        nonlocal taken
        real = next(data)
        device = real.device

        discriminator_optimizer.zero_grad()
        fake = generator(torch.randn(len(real), gan.latent_dim, device=device)).detach()
        penalised = penalty is not None and taken % config.penalty_interval == 0
        real.requires_grad_(penalised)
        fake.requires_grad_(penalised)
        real_logits, fake_logits = discriminator(real), discriminator(fake)
        d_loss = discriminator_loss(real_logits, fake_logits)
        if penalty is not None and penalised:
            judged = Judged(real, fake, real_logits, fake_logits, discriminator, rng)
            d_loss = d_loss + config.penalty_interval * penalty.value(judged)
        d_loss.backward()
        discriminator_optimizer.step()

        generator_optimizer.zero_grad()
        fake = generator(torch.randn(len(real), gan.latent_dim, device=device))
        g_loss = generator_loss(discriminator(real.detach()), discriminator(fake))
        g_loss.backward()
        generator_optimizer.step()

        taken += 1
        return d_loss.item() + g_loss.item()

    return step
