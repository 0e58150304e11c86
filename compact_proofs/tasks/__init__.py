"""The tasks that ship: one folder each, each with a `KIT`.

shipped    the tasks by their names
kit        what a task offers to the rest of the program
universal  what any module can be proved by on any task
loading    a model by what a user names, with its task and its proofs

To add a task that ships, copy a folder, and enter its kit in `shipped`; the command line, the soundness harness and the report find
it there. A task in a package of its own needs less (docs/extending.md).
"""

from compact_proofs.core.registry import strategies_for
from compact_proofs.tasks.loading import LoadedModel, kit_for, kit_named, load_model
from compact_proofs.tasks.shipped import KITS

__all__ = ["KITS", "LoadedModel", "kit_for", "kit_named", "load_model", "strategies_for"]
