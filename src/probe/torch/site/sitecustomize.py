"""
Runs at the start of every Python process that Basin launches, or that is started in a hooked shell (this folder is first
on PYTHONPATH): passes on to the sitecustomize that it shadows, then waits for torch to be imported and attaches the
probe to it.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def _run_shadowed():
    """The sitecustomize that would have run without this one (Debian's, conda's, a company's)."""
    import importlib.machinery
    import importlib.util

    rest = [p for p in sys.path if os.path.abspath(p or ".") != _HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", rest)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)


def _is_worker():
    """A child that multiprocessing has spawned (a loader's worker): it has nothing to record."""
    return "--multiprocessing-fork" in getattr(sys, "argv", [])


def _report_trouble(torch_version):
    """
    Leaves word in the run's record that this Python has no torch, or one that is too old; the script goes on as it would
    without Basin.
    """
    _leave_word({"torch": torch_version})


def _leave_word(what):
    """In PYTHON_TROUBLE_FILE of src/protocol/launch.ts."""
    import json

    try:
        options = json.loads(os.environ["BASIN_PROBE"])
        if options["mode"] != "record":
            return
        version = ".".join(str(part) for part in sys.version_info[:3])
        told = dict({"executable": sys.executable, "python": version, "torch": None}, **what)
        with open(os.path.join(options["runDirectory"], "python.json"), "w", encoding="utf-8") as file:
            json.dump(told, file)
    except Exception:
        pass


def _report_unfound():
    """
    Leaves word, when the interpreter ends, that it did not find what it was to run. Such a mistyped name ends it before
    anything of the script is there.
    """
    main = sys.modules.get("__main__")
    first = (getattr(sys, "argv", None) or [""])[0]
    if first == "-m":
        # It is the module's file as soon as that is found.
        words = getattr(sys, "orig_argv", [])
        name = next((words[i + 1] for i, word in enumerate(words[:-1]) if word == "-m"), None)
        _leave_word({"unfound": "module" if name is None else "module named " + name})
    elif first not in ("", "-", "-c") and not hasattr(main, "__file__") and not os.path.exists(first):
        _leave_word({"unfound": "file " + first})


def _too_old(torch_version):
    """Whether this is a torch before 1.13, or Python before 3.9, whose syntax the probe cannot do without."""
    numbers = []
    for part in str(torch_version).split(".")[:2]:
        digits = "".join(c for c in part if c.isdigit())
        numbers.append(int(digits) if digits else 0)
    return numbers < [1, 13] or sys.version_info < (3, 9)


def _attach_after_torch():
    import importlib.abc
    import importlib.util

    class AfterTorch(importlib.abc.MetaPathFinder):
        searching = False

        def find_spec(self, name, path, target=None):
            if name != "torch" or self.searching:
                return None
            self.searching = True
            try:
                spec = importlib.util.find_spec("torch")
            finally:
                self.searching = False
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            if spec is None or spec.loader is None:
                _report_trouble(None)
                return spec
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                try:
                    if _too_old(module.__version__):
                        _report_trouble(str(module.__version__))
                        return
                    import basin_probe

                    basin_probe.attach()
                except Exception:
                    pass  # training goes on without the probe; the run says that nothing was recorded

            spec.loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, AfterTorch())


try:
    _run_shadowed()
except Exception:
    pass
if (os.environ.get("BASIN_PROBE") or os.environ.get("BASIN_HOOK")) and not _is_worker():
    # Appended, so that nothing of the script's own is shadowed.
    sys.path.append(os.path.dirname(_HERE))
    _attach_after_torch()
    if os.environ.get("BASIN_PROBE"):
        import atexit

        atexit.register(_report_unfound)
