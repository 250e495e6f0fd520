"""What every client has to be told."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where and as what a provider is asked."""

    model: str
    operations: Mapping[str, str]
    """What is asked (chat, completion, embeddings) -> the operation that answers it; what is missing is not there."""
    path: str = ""
    """What clients append to the handle's base URL."""
    embedder: str = ""
    """The model that makes vectors, where it is another."""
    dimensions: int = 0
    """How long they are."""

    @property
    def embedding_model(self) -> str:
        return self.embedder or self.model
