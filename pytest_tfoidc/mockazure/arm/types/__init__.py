"""What is special of each resource type, one file for each family."""
