"""What JAX and XLA read when they are imported: eight virtual devices, and cheap compilation."""

import os
from pathlib import Path

CACHE = Path(__file__).parent.parent / ".pytest_cache" / "xla"
DEFAULTS = {
    "JAX_NUM_CPU_DEVICES": "8",
    "JAX_PLATFORMS": "cpu",
    # Tests compile hundreds of tiny programs: cheaply, and the same one only once.
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    # The fusion emitters lower every loop through MLIR, which was most of what a test took.
    "XLA_FLAGS": "--xla_cpu_use_fusion_emitters=false",
    "JAX_COMPILATION_CACHE_DIR": str(CACHE),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
}
# Instead, where a test needs programs as a user's run has them.
OPTIMIZED = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "0", "XLA_FLAGS": ""}


def prepare() -> None:
    """Sets what the environment leaves open. To be called before JAX is imported."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
