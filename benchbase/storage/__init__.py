"""What is stored on disk: results and cached arrays."""
