"""The checks of each module: ID tokens that refresh, and upgrades."""
