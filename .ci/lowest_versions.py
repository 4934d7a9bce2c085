"""Print a constraint for each requirement of pyproject.toml: the lowest version that it allows."""

import re
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
extras = project["optional-dependencies"].values()
for requirement in {*project["dependencies"], *(each for extra in extras for each in extra)}:
    if match := re.match(r"([\w.-]+)(?:\[[\w,]+\])?>=([\w.]+)", requirement):
        print(f"{match[1]}=={match[2]}")
