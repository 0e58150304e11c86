"""Any task on sequences of tokens: a label function that ships or your own, or a finite automaton."""
