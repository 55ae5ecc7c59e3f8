"""Snapshots of one stream by programs of several versions, told apart by their topic."""

from infra.migrations import run_script

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Let the topic be part of the key, and keep when each was taken."""
    run_script("0003_snapshots")
