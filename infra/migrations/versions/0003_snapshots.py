"""Snapshots of one stream by programs of several versions, told apart by their topic."""

from pathlib import Path

from alembic import context, op

revision = "0003"
down_revision = "0001"


def upgrade() -> None:
    """Let the topic be part of the key, and keep when each was taken."""
    name = context.config.attributes["context"]
    dialect = op.get_bind().dialect.name
    script = Path(__file__).with_name(f"0003_snapshots.{dialect}.sql").read_text(encoding="utf-8")
    for statement in script.replace("{context}", name).split("\n---\n"):
        op.get_bind().exec_driver_sql(statement)
