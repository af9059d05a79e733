"""The Lipschitz constants of pooling representations, and whether they are injective."""
