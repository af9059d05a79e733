"""Finding plugins, and what they supply."""
