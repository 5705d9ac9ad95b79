"""Alembic's entry: it runs inside the transaction that `core.migrate` opened."""

from alembic import context

from core.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,
)
context.run_migrations()
