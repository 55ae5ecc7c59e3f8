"""Rebuilds of projections that can be resumed, and which version of each is live."""

from infra.migrations import run_script

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make both tables."""
    run_script("0004_rebuilds")
