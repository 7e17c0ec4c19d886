"""Key Vault's data plane: secrets, keys and certificates of every vault that there is."""
