# SPDX-License-Identifier: GPL-2.0
"""Machine descriptions: machines/NAME.toml. One may name another as its `base` and say only what differs."""

import pathlib
import tomllib

from artefacts import LAB, LabError

MACHINES = LAB / "machines"


def machine_names():
    """Every machine there is."""
    return sorted(file.stem for file in MACHINES.glob("*.toml"))


def machine_named(name):
    """A machine's description; `family` holds its own name and its bases'."""
    file = MACHINES / f"{pathlib.Path(name).name}.toml"
    if not file.exists():
        raise LabError(f"no machine {name!r}: there are {', '.join(machine_names())}")
    machine = tomllib.loads(file.read_text())
    base = machine_named(machine["base"]) if "base" in machine else {}
    base.pop("default", None)
    merged = base | machine
    for key, value in base.items():
        if isinstance(value, dict) and key in machine:
            merged[key] = value | machine[key]
    return merged | {"name": name, "family": [name, *base.get("family", [])]}


def default_machines():
    """Where tests run if nobody says where. The first is also where a shell starts."""
    names = [name for name in machine_names() if "default" in machine_named(name)]
    return sorted(names, key=lambda name: machine_named(name)["default"])
