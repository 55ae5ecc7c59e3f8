"""Facts that readers have parked, claims on deadlines, and what operators do beside commands."""

from infra.migrations import run_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make room for them."""
    run_script("0005_parked")
