"""Workers that may die: processes on this machine, or those of a Dask cluster. Sweeps and shards of proofs are done by them.

base        what all workers have in common: `Workers`, `Done`
pool        processes on this machine
cluster     the workers of a Dask cluster
"""

from compact_proofs.workers.base import Done, Workers, one_at_a_time
from compact_proofs.workers.cluster import DaskWorkers
from compact_proofs.workers.pool import ProcessPool

__all__ = ["DaskWorkers", "Done", "ProcessPool", "Workers", "one_at_a_time"]
