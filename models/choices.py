"""The options of models, trainings and films that are names: name -> function, imported when it is used. Torch-free.

A new one is a function and a line here; `--help`, selectors and the contract tests follow.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from models.tables import Table

if TYPE_CHECKING:
    from models.objectives.adversarial import AdversarialLoss
    from models.objectives.augmentation import Augmentation
    from models.objectives.likelihoods import Likelihood
    from models.objectives.penalties import Penalty
    from models.objectives.vae import VaeObjective
    from models.plans import Route
    from models.priors import Prior
    from models.training.optimizers import OptimizerOf

LIKELIHOODS: Table["Likelihood"] = Table(
    "likelihood",
    {
        "bernoulli": "models.objectives.likelihoods:bernoulli",
        "gaussian": "models.objectives.likelihoods:gaussian",
        "gaussian-optimal": "models.objectives.likelihoods:gaussian_optimal",
    },
)
VAE_OBJECTIVES: Table["VaeObjective"] = Table(
    "VAE objective",
    {
        "elbo": "models.objectives.vae:ELBO",
        "beta": "models.objectives.vae:BETA",
        "btc": "models.objectives.vae:BTC",
        "capacity": "models.objectives.vae:CAPACITY",
        "free-bits": "models.objectives.vae:FREE_BITS",
        "iwae": "models.objectives.vae:IWAE",
        "wae-mmd": "models.objectives.vae:WAE_MMD",
    },
)
ADVERSARIAL_LOSSES: Table["AdversarialLoss"] = Table(
    "adversarial loss",
    {
        "nonsaturating": "models.objectives.adversarial:NONSATURATING",
        "relativistic": "models.objectives.adversarial:RELATIVISTIC",
        "minmax": "models.objectives.adversarial:MINMAX",
        "least-squares": "models.objectives.adversarial:LEAST_SQUARES",
        "hinge": "models.objectives.adversarial:HINGE",
        "wasserstein": "models.objectives.adversarial:WASSERSTEIN",
    },
)
PENALTIES: Table["Penalty | None"] = Table(
    "gradient penalty",
    {
        "none": None,
        "r1": "models.objectives.penalties:R1",
        "r2": "models.objectives.penalties:R2",
        "r1r2": "models.objectives.penalties:R1R2",
        "gp": "models.objectives.penalties:GP",
    },
)
OPTIMIZERS: Table["OptimizerOf"] = Table(
    "optimizer", {"adam": "models.training.optimizers:adam", "sgd": "models.training.optimizers:sgd"}
)
AUGMENTATIONS: Table["Augmentation"] = Table(
    "augmentation",
    {
        "color": "models.objectives.augmentation:color",
        "translation": "models.objectives.augmentation:translation",
        "cutout": "models.objectives.augmentation:cutout",
    },
)
PRIORS: Table["type[Prior] | None"] = Table(
    "fitted prior", {"none": None, "gmm": "models.priors:Mixture", "flow": "models.priors:Flow"}
)
# Ways from key point to key point; those that have to prepare something are generators.
ROUTES: Table["Route"] = Table(
    "interpolation",
    {"slerp": "models.plans:closed", "lerp": "models.plans:closed", "data": "models.geodesics:plan"},
)

# Option -> what it can be; `augment` takes several of them.
OPTIONS: Mapping[str, Table[Any]] = {
    "likelihood": LIKELIHOODS,
    "objective": VAE_OBJECTIVES,
    "loss": ADVERSARIAL_LOSSES,
    "penalty": PENALTIES,
    "optimizer": OPTIMIZERS,
    "augment": AUGMENTATIONS,
    "prior_fit": PRIORS,
}
