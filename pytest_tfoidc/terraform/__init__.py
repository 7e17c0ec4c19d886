"""Running Terraform: executables, workspaces, commands, plans and what they leave behind."""
