"""Use in web frameworks: one module for each framework, and `problems` for any of them."""
