"""Records that are validated when they are made, and what a person reads when one is not valid. Torch-free."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from models.errors import UserError
from models.tables import nearest

MAX_SEED = 2**31 - 1

V = TypeVar("V", bound=BaseModel)


class Value(BaseModel):
    """A frozen, hashable record that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def parse(kind: type[V], data: object, *, what: str, code: str = "bad-config") -> V:
    """Validate data, with a UserError that names the field and the nearest known one instead of a stack trace.

    Args:
        kind: The record's class.
        data: What was read.
        what: What it is, for the message ("the config of 'my-vae'").
        code: The error's code.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            remedy = nearest(str(first["loc"][-1]), kind.model_fields)
            raise UserError(code, f"{what} has an unknown field '{field}'.", remedy) from None
        message = first["msg"].removeprefix("Value error, ")
        where = f" in '{field}'" if field else ""
        raise UserError(
            code, f"{what} is not valid{where}: {message}.", "Correct it and try again."
        ) from None
