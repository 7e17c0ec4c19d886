"""Resource Manager's stand-in."""
