"""Optimisers by name, made from the options of a training."""

from collections.abc import Callable, Iterable

import torch
from torch import nn

from models.config import AdversarialTraining

OptimizerOf = Callable[[Iterable[nn.Parameter], AdversarialTraining], torch.optim.Optimizer]


def adam(parameters: Iterable[nn.Parameter], config: AdversarialTraining) -> torch.optim.Optimizer:
    """Return Adam with decoupled weight decay (Loshchilov & Hutter, 2017, arXiv:1711.05101, algorithm 2)."""
    betas = (config.beta1, config.beta2)
    return torch.optim.AdamW(
        parameters, config.learning_rate, betas=betas, weight_decay=config.weight_decay, fused=True
    )


def sgd(parameters: Iterable[nn.Parameter], config: AdversarialTraining) -> torch.optim.Optimizer:
    """Return stochastic gradient descent, with `beta1` as its momentum (Sutskever et al., 2013, equations 1 and 2)."""
    return torch.optim.SGD(
        parameters,
        config.learning_rate,
        momentum=config.beta1,
        weight_decay=config.weight_decay,
        fused=True,
    )
