"""Resource Manager: parts of it that are packages of their own."""
