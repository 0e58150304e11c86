"""What most users call: a network and a task in, a theorem out, with defaults for everything else.

load       a network with its task, from a file, the zoo, a Python file, or a live model
prove      `prove`, `trial`, `check` and `brute_force` with the defaults of a task
frontier   bounds at many lengths
explain    where proofs lose their bounds, in tables and pictures

The functions of `compact_proofs.core` do the work; they know no task that ships, and so have no defaults.
"""
