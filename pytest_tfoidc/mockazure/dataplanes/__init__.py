"""The data planes that hold documents under paths: what is written there is read back."""
