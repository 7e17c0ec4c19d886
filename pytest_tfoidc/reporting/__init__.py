"""What people see: summaries and diagnoses made from events."""
