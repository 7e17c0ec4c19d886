"""Live runs: a state of its own for each test, and the ledger of what is deployed."""
