"""With which roles somebody sent a command, or did something beside commands."""

from infra.migrations import run_script

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the columns, and in PostgreSQL give the function that appends one array more."""
    run_script("0009_roles")
