# SPDX-License-Identifier: GPL-2.0
"""Machine descriptions: machines/NAME.toml. One may say only what differs from another: `base` (it is that machine, for
test lists too) or `like` (it takes that one's settings alone)."""

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
    other = machine_named(machine.get("base") or machine["like"]) if {"base", "like"} & set(machine) else {}
    other.pop("default", None)
    merged = other | machine
    for key, value in other.items():
        if isinstance(value, dict) and key in machine:
            merged[key] = value | machine[key]
    return merged | {"name": name, "family": [name, *(other["family"] if "base" in machine else [])]}


def default_machines():
    """Where tests run if nobody says where. The first is also where a shell starts."""
    names = [name for name in machine_names() if "default" in machine_named(name)]
    return sorted(names, key=lambda name: machine_named(name)["default"])
