"""Services: which provider a tenant has for each contract, and the calls of those that are remote."""
