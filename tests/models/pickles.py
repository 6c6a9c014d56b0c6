"""Pickles that would run code, and classes of packages that a reader need not have."""

import builtins
import os
import subprocess
import sys
import types


class Calls:
    """Pickles as a call, which a careless reader carries out."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def hostile(marker):
    """By name: objects that would each create the file ``marker`` when read."""
    write = f"open({str(marker)!r}, 'w').close()"
    return {
        "os.system": Calls(os.system, f"touch {marker}"),
        "eval": Calls(builtins.eval, write),
        "exec": Calls(builtins.exec, write),
        "subprocess": Calls(subprocess.check_call, ["touch", str(marker)]),
        "getattr": Calls(builtins.getattr, Calls(__import__, "os"), "system"),
        "open": Calls(builtins.open, str(marker), "w"),
    }


def foreign_class(monkeypatch, module, name, bases=(object,)):
    """A class of a package that is there while the file is written and gone when it is read."""
    made = type(name, bases, {"__module__": module})
    parts = module.split(".")
    for i in range(1, len(parts) + 1):
        path = ".".join(parts[:i])
        monkeypatch.setitem(sys.modules, path, types.ModuleType(path))
    setattr(sys.modules[module], name, made)
    return made
