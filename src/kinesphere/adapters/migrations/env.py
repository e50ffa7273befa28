"""Run by Alembic, with the connection that `upgrade` began a transaction on."""

from alembic import context

from kinesphere.adapters.sql.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
