"""Who we are: the pipeline's context, ID tokens, the relay and the credential."""
