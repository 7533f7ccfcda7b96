"""The options of models, trainings and films that are names: name -> function, imported when it is used. Torch-free.

A new one is a function and a line here; `--help`, selectors and the contract tests follow.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from models.tables import Table

if TYPE_CHECKING:
    from models.objectives import AdversarialLoss, Augmentation, Likelihood, VaeObjective
    from models.plans import Route

LIKELIHOODS: Table["Likelihood"] = Table(
    "likelihood",
    {
        "bernoulli": "models.objectives:bernoulli",
        "gaussian": "models.objectives:gaussian",
        "gaussian-optimal": "models.objectives:gaussian_optimal",
    },
)
VAE_OBJECTIVES: Table["VaeObjective"] = Table(
    "VAE objective",
    {"elbo": "models.objectives:negative_elbo", "beta": "models.objectives:negative_beta_elbo"},
)
ADVERSARIAL_LOSSES: Table["AdversarialLoss"] = Table(
    "adversarial loss",
    {
        "nonsaturating": "models.objectives:NONSATURATING",
        "relativistic": "models.objectives:RELATIVISTIC",
    },
)
# Which of (real, fake) images are penalised.
PENALTIES: Table[tuple[bool, bool]] = Table(
    "gradient penalty",
    {"none": (False, False), "r1": (True, False), "r2": (False, True), "r1r2": (True, True)},
)
AUGMENTATIONS: Table["Augmentation"] = Table(
    "augmentation",
    {
        "color": "models.objectives:augment_color",
        "translation": "models.objectives:augment_translation",
        "cutout": "models.objectives:augment_cutout",
    },
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
    "augment": AUGMENTATIONS,
}
