"""The stand-in of Azure DevOps' REST."""
