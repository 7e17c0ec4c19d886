"""App Configuration's data plane: key-values, labels, locks, revisions and snapshots."""
