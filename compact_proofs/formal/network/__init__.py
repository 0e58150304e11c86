"""Any network as a theorem: a traced program in the language of ``formal/Network.v``, run by Coq on every input.

language           indices, scalars, definitions: what a network is made of
entries            tensors as functions from places to entries, and what only moves entries about
lowering           from a traced program to a network
rules              how operations are written: arithmetic, functions of one number
sum_rules          sums, means, LayerNorm, products
place_rules        look-ups, masks, softmax, tensors side by side
evaluation         a network's meaning in float64, to compare it with its program
tasks              tasks as terms of Coq
source             the texts of Weights.v, Task.v and Program.v
program_statement  what theorems about a program share
statement          the theorem: `NetworkStatement`
"""
