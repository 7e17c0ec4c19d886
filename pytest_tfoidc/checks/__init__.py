"""What the plugin checks of each module: ID tokens that refresh, and upgrades."""
