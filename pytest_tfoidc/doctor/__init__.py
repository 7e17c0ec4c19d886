"""The doctor: reads a repository, its pipelines and an environment, and says what is wrong."""
