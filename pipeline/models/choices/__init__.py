"""What can be chosen of the network and its training: types of `params.yaml` that need no torch."""

from pydantic import BaseModel, ConfigDict


class Choice(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")
