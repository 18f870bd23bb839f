"""Mistakes in how variables lie on the devices."""

from mutants import Mutant

SHARDING, PARALLEL = "training/sharding.py", "training/parallel.py"
TESTS = "test_sharding.py::test_"
SAME = TESTS + "every_form_is_bitwise_the_same_move"
HOLDS = TESTS + "a_device_holds_its_share_of_the_optimizer_and_the_average"
MEMORY = TESTS + "peak_memory_falls_with_the_devices_by_what_is_split"
COUNTED = TESTS + "a_round_reduces_the_gradient_once_and_gathers_what_was_split"
AXES = TESTS + "the_longest_axis_that_divides_is_split_and_what_has_none_is_copied"
CONTINUES = TESTS + "a_run_may_continue_in_another_form_and_on_other_devices"
BEGINNING = TESTS + "no_device_keeps_a_copy_of_where_a_run_began"

SHARDINGS = {
    "sharding trap: gradients times the devices": Mutant(
        SHARDING, "out_specs=WHOLE, check_vma=False)", "out_specs=WHOLE)", SAME
    ),
    "sharding: the step is gathered, then added": Mutant(
        SHARDING, "return new if new is old else", "return new if True else", SAME
    ),
    "sharding: averages are copied": Mutant(PARALLEL, '("opt", "average")}', '("opt",)}', HOLDS),
    "sharding: the first axis": Mutant(
        SHARDING, "longest = max(axes, key=lambda axis: shape[axis])", "longest = axes[0]", AXES
    ),
    "sharding: an axis that does not divide": Mutant(
        SHARDING, "if size and size % count == 0]", "if size and size >= count]", AXES
    ),
    "sharding: parameters are split, too": Mutant(
        SHARDING, "placed = layout(variables, mesh, shared)",
        'placed = layout(variables, mesh, (*shared, "params"))', SAME,
    ),
    "sharding: nothing is donated": Mutant(
        SHARDING, "return jax.jit(grouped, donate_argnums=0)", "return jax.jit(grouped)", MEMORY
    ),
    "sharding: gradients reduced twice": Mutant(
        "training/step.py", "return replicas.mean((gradients,",
        "return replicas.mean((replicas.mean(gradients),", COUNTED,
    ),
    "sharding: averages are shown in shares": Mutant(
        "gm_jax/run.py", "parallel.whole(variables._replace(opt={}))",
        "variables._replace(opt={})", CONTINUES,
    ),
    "sharding: the start stays on a device": Mutant(
        "training/loop.py", "parallel.to_host(begin(previous)), ", "begin(previous), ", BEGINNING
    ),
}  # fmt: skip
