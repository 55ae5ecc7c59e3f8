"""PostgreSQL's `append` is planned for large tables from its first call on."""

from alembic import op

from infra.migrations import run_script

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Replace the function; SQLite has none."""
    if op.get_bind().dialect.name == "postgresql":
        run_script("0002_append_planned")
