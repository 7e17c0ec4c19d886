"""The command `tfoidc`."""
