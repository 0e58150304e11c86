"""How many operations the compact checker of groups makes, and how many it takes to run the network on every pair."""

from __future__ import annotations

from compact_proofs.formal.groups.hints import CircuitHints, GroupHints


def compact_length(n: int, m: int, hints: GroupHints) -> int:
    """Operations in ``count_groups`` of ``formal/GroupTheorems.v``.

    Each operation on enclosures is 1: an addition, a product, a ReLU, a hull of two. A sum of k terms is k additions, as it starts
    from 0; a hull of k terms k - 1; a number that is read from an integer 1. Each comparison or addition of integers is 1.
    Cost: O(k n (P + Q)) for k readings of a circuit with P and Q points, O(n^2 (P + Q)), O(n m); never O(n^2 m).
    """
    return enclosed_length(n, m, hints) + exact_length(n, m, hints)


def enclosed_length(n: int, m: int, hints: GroupHints) -> int:
    """Operations on enclosures."""
    weights = 3 * n * m + n
    adding = len(hints.circuits) * (2 * n * n + 4 * n + 1)
    # The least gap, the spread of what is known of no input; spreads for each x and y, and their sums; sums for every pair.
    counting = (n - 2) + n + 2 + 2 * n * n + 3 * n + 2 * n * n
    return weights + sum(_circuit(n, c) for c in hints.circuits) + adding + counting


def exact_length(n: int, m: int, hints: GroupHints) -> int:
    """Operations on integers: the group's table, the circuits' actions, and that shares add up to 1."""
    readings = sum(c.readings for c in hints.circuits)
    shares = readings + m * (2 * readings + 1)
    return 1 + 2 * n + 3 * n * n + sum(_exact(n, c) for c in hints.circuits) + shares


def brute_force_length(n: int, m: int) -> int:
    """The same for the logits of all pairs: m additions and ReLUs, and n sums of m products and a bias, and n - 1 comparisons."""
    return 3 * n * m + n + n * n * (2 * m + n * (2 * m + 1) + n - 1)


def _exact(n: int, circuit: CircuitHints) -> int:
    """That x and y permute points (each compared with every other), the action, the symmetry of gamma, and sums of the table."""
    P, Q = circuit.points
    return n * (P * P + Q * Q) + n * n * Q + n * P * Q + 2 * (P * Q) + P + Q


def _circuit(n: int, circuit: CircuitHints) -> int:
    (P, Q), k = circuit.points, circuit.readings
    pairs = P * Q
    numbers = 2 * pairs + k * (3 + 2 * P + 2 * Q)
    readings = k * (n + n + 1)  # output weights, their spread, and that times a number from -1 to 1
    known = k * n * 2 * (P + Q + 1) + n * (P + Q) * P * Q + n * (pairs + P) + n * n * (P + Q)
    apart = 2 * k * n + pairs * n
    rest = n * (pairs + P) + n * (2 * pairs + Q) + 2 * n * pairs
    noise = n * (2 * pairs + P + 2) + (n - 1) + (2 * pairs + P + 1) + 2
    misread = k * (7 * pairs + pairs - 1 + 2) + pairs + P + 1
    gaps = n * (3 * pairs + P)
    errors = 2 * n * (3 * k + pairs + P)
    return numbers + readings + known + apart + rest + noise + misread + gaps + errors
