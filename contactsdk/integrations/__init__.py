"""Use in other programs: one module for each framework, and `problems` for any of them."""
