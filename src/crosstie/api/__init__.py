"""The public API, derived from the declarations: routes, schemas, pages, problems."""
