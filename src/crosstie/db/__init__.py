"""PostgreSQL: connections, transactions of a tenant, statements, policies. Nothing of events."""
