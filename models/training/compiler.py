"""Training without torch's compiler, whose import alone takes seconds: nothing here is compiled.

torch imports it with the first optimizer, whose methods are wrapped in words to the compiler.
"""

import inspect
import sys

import torch


def leave_out() -> None:
    """Let optimizers do without it; where it is loaded already, nothing changes.

    Methods that a compiler must not look into are wrapped (`torch._compile`): at the first call the wrapper asks the
    compiler for a version of the method that it leaves alone, and remembers that one. Here it finds the method
    itself remembered.
    """
    if "torch._dynamo" in sys.modules:
        return
    for method in vars(torch.optim.Optimizer).values():
        wrapped = getattr(method, "__wrapped__", None)
        if wrapped is not None:
            wrapped.__dict__.setdefault("__dynamo_disable", wrapped)


@torch.no_grad()
def step(optimizer: torch.optim.Optimizer) -> None:
    """Take a step of an optimizer, by the method inside of its wrappers; hooks are not called."""
    inspect.unwrap(type(optimizer).step)(optimizer)
