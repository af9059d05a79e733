"""Finding plugins, the components that they supply, and the code behind these."""
