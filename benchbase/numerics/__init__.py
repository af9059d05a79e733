"""All that a number depends on, and nothing else."""
