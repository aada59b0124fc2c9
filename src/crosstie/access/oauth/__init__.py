"""The OAuth 2 and OpenID Connect server: apps, signing keys, tokens, and the flows that lead to them."""
