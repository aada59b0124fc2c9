"""Who may do what: tenants, API keys, users, scopes, and the vault that keeps secrets."""
