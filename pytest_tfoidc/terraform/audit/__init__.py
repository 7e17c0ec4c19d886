"""The search for credentials in plans, states and folders."""
