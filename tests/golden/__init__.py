"""Golden proofs: what every registered strategy, at its defaults, proves about every model of the zoo.

proofs       a record of one proof, the file of all records, and how a record is made
make         makes the file again: ``python -m tests.golden.make``
test_golden  proves again, and compares
"""
