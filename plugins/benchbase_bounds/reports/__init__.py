"""The reports ``bounds`` and ``collisions``, with their tables and figures."""
