"""A benchmark that others can enter: certificates about models of the zoo, each checked again, ranked in one table.

entries    the certificates of a folder, and the code that some bring
ranking    Q, bounds at fixed lengths and lengths at fixed bounds, for each model and entrant
page       the table as HTML, CSV and JSON
"""

from compact_proofs.leaderboard.entries import Entry, read_entries
from compact_proofs.leaderboard.page import write_leaderboard
from compact_proofs.leaderboard.ranking import Place, rank

__all__ = ["Entry", "Place", "rank", "read_entries", "write_leaderboard"]
