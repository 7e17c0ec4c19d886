"""Template deployments: ARM templates and what Bicep compiles to, evaluated and put in place."""
