"""What surrounds the program: its outputs, paths, imports and downloads."""
