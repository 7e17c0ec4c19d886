"""What families of resource types need beyond being stored."""
