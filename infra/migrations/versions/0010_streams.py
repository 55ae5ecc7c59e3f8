"""In SQLite a stream's facts are found by an index that is behind the log, not by a unique one."""

from alembic import op

from infra.migrations import run_script

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the facts' table anew without its index; PostgreSQL keeps its own."""
    if op.get_bind().dialect.name == "sqlite":
        run_script("0010_streams")
