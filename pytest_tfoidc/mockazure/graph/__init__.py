"""Microsoft Graph's stand-in."""
