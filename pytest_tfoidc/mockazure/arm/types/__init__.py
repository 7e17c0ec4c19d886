"""The families of resource types that need more than being stored."""
