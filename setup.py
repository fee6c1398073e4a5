"""Builds the compiled core where a C compiler works, and installs without it where none does.

Everything else about the package is in `pyproject.toml`.  Three environment variables:
`CTCP_FORENSICS_PURE=1` skips the core; `CTCP_FORENSICS_BOUNDSCHECK=1` builds it with
Cython's own checks, so that the whole test suite can run with them; `CTCP_FORENSICS_ABI3=1` builds it for
every Python from 3.11 on instead of for the one that builds, which takes longer to start: decision 24.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

OLDEST_PYTHON = "cp311"
OLDEST_C_API = "0x030B0000"

# Set here and nowhere in the source: a directive in a source file's header would win over these.
FAST = {"boundscheck": False, "wraparound": False, "initializedcheck": False, "cdivision": True}

# wraparound stays off: with it on, index -1 would be read from the other end instead of refused.
CHECKED = {
    "boundscheck": True,
    "wraparound": False,
    "initializedcheck": True,
    "cdivision": False,
    "nonecheck": True,
    "overflowcheck": True,
}


def is_asked_for(variable: str) -> bool:
    return os.environ.get(variable, "") not in ("", "0")


def serves_every_python() -> bool:
    """Free-threaded Pythons and PyPy have no stable C interface: there the core is built for the one version."""
    has_stable_abi = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
    return has_stable_abi and is_asked_for("CTCP_FORENSICS_ABI3")


def core() -> Extension:
    extension = Extension(
        "ctcp_forensics._kernel.core",
        ["ctcp_forensics/_kernel/core.pyx"],
        define_macros=[("Py_LIMITED_API", OLDEST_C_API)] if serves_every_python() else [],
        py_limited_api=serves_every_python(),
        extra_compile_args=[] if sys.platform == "win32" else ["-O3", "-g0"],
    )
    extension.cython_c_in_temp = True
    extension.cython_directives = CHECKED if is_asked_for("CTCP_FORENSICS_BOUNDSCHECK") else FAST
    return extension


class BuildCoreIfPossible(build_ext):
    """`Extension(optional=True)` forgives a failed compilation, but not a missing compiler; this does."""

    def finalize_options(self) -> None:
        super().finalize_options()
        # The same source is built with other directives, which time stamps do not show.
        self.force = True

    def run(self) -> None:
        try:
            super().run()
        except Exception as error:  # noqa: BLE001  # whatever it was, the plain-Python kernel answers the same
            self.extensions = []
            self.distribution.ext_modules = []
            reason = " ".join([f"{type(error).__name__}:", *str(error).split()])
            print(
                f"WARNING: ctcp-forensics is installed WITHOUT its compiled core: {reason}. "
                "Answers are the same, analysis is many times slower. "
                "Install a C compiler and Python's headers (Debian: gcc python3-dev) and install again.",
                file=sys.stderr,
            )


class WheelOfWhatWasBuilt(bdist_wheel):
    """Tags the wheel after the build: with the core for the Pythons that it serves, any platform without it."""

    def run(self) -> None:
        # Whatever an earlier build left there, such as a core, would be packed too.
        shutil.rmtree(self.get_finalized_command("build").build_lib, ignore_errors=True)
        self.run_command("build_ext")
        self.root_is_pure = not self.distribution.has_ext_modules()
        super().run()


setup(
    ext_modules=[] if is_asked_for("CTCP_FORENSICS_PURE") else [core()],
    cmdclass={"build_ext": BuildCoreIfPossible, "bdist_wheel": WheelOfWhatWasBuilt},
    options={"bdist_wheel": {"py_limited_api": OLDEST_PYTHON}} if serves_every_python() else {},
)
