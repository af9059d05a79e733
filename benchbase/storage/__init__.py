"""What is kept on disk: results and cached arrays."""
