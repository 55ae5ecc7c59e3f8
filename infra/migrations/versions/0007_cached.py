"""Of projections whose answers are kept: since when only facts, by one code, changed the rows."""

from infra.migrations import run_script

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the table."""
    run_script("0007_cached")
