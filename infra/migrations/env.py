"""Runs the revisions on the connection and for the context that `migrate` hands over."""

from alembic import context as alembic

from infra.migrations import version_options

connection = alembic.config.attributes["connection"]
alembic.configure(
    connection=connection,
    **version_options(
        alembic.config.attributes["context"], sqlite=connection.dialect.name == "sqlite"
    ),
)
with alembic.begin_transaction():
    alembic.run_migrations()
