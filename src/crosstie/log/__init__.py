"""The log: one transaction per change, one event log, deliveries to sinks, and the worker that makes them."""
