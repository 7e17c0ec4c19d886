"""The stand-in of blob storage."""
