"""The live channel: events as they happen, over WebSockets and as server-sent events, by topic and cursor."""
