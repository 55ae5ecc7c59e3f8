"""The log: facts, receipts, the head, readers' positions, deadlines and snapshots."""

from infra.migrations import run_script

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables, and in PostgreSQL the function that appends."""
    run_script("0001_log")
