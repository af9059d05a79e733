"""How A and B are bracketed: one module for each kind of pooling."""
