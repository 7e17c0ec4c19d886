"""Azure on loopback: issuer, Entra ID, Resource Manager, blobs and Graph behind one proxy."""
