"""At home in other people's programs: one module for each framework, each needs its extra."""
