"""What came of a rebuild."""

from dataclasses import dataclass, field


@dataclass
class Comparison:
    """A rebuilt projection beside the live one, at one position."""

    projection: str
    position: int
    seconds: float = 0.0
    rows: int = 0
    resumed_at: int = 0
    """The position that an earlier rebuild had come to."""
    total: int = 0
    """Rows that differ."""
    differences: list[str] = field(default_factory=list)
    """The first of them."""
    swapped: bool = False
    failure: Exception | None = None
    """Why there is nothing to compare: a fact that cannot be projected."""

    @property
    def equal(self) -> bool:
        """Whether every row is the same."""
        return not self.differences and self.failure is None
