"""The business, module by module. A module never imports another: it reacts to events, or asks a contract."""
