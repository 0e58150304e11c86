"""Theorems about networks with one hidden layer on two tokens, proved by following what neurons write in few directions.

hints                 clusters and directions of a certificate, as integers
directions_length     how many operations the checker makes
directions_source     hints as text that Coq reads
directions_statement  the theorem
"""
