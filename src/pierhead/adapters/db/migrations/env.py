"""What Alembic runs for each command: the connection was opened, and is committed, by whoever called."""

from alembic import context

from pierhead.adapters.db.schema import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
