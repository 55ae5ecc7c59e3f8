"""The log: facts, receipts, the head, readers' positions, deadlines and snapshots."""

from pathlib import Path

from alembic import context, op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables, and in PostgreSQL the function that appends."""
    name = context.config.attributes["context"]
    dialect = op.get_bind().dialect.name
    script = Path(__file__).with_name(f"0001_log.{dialect}.sql").read_text(encoding="utf-8")
    for statement in script.replace("{context}", name).split("\n---\n"):
        op.get_bind().exec_driver_sql(statement)
