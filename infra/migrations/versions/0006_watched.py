"""What the watchers of invariants remember from fact to fact, and the breaches they have told."""

from infra.migrations import run_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the tables."""
    run_script("0006_watched")
