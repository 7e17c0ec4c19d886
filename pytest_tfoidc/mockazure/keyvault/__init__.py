"""The stand-in of Key Vault."""
