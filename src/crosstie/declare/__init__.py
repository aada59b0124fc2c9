"""The vocabulary in which nouns, verbs and events are declared: data, no input or output."""
