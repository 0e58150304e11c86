"""Evaluation input by input, sharing whatever inputs have in common: exact, and cheaper than brute force.

program                  `Listing`: a program, read operation by operation
operation                one operation, with what is known of its arguments
token_tables, linear     operations on all tokens or pairs of tokens at once; sums and linear maps of tables
ends                     how a program ends: in a sum of parts, with a layer norm
last_norm                margins of a network that ends with a layer norm, without the norm
waist, around            where a program narrows to a vector, and what it makes of all vectors near given ones
graphs                   nodes of a program: what they read, constant matrices
landmarks                inputs that are right because such a vector is near one that is known
choice                   which way costs least for the inputs that are listed
values                   what is known of a tensor before any input is given: tables over tokens, or a step for each input
steps, kinds             what is carried out for each input, once for those that agree where it depends on them
maps                     linear maps, not carried out before it is known what reads them
sums, averages           averages of tables by the shares of a softmax, and averages of such averages
zeros                    products with vectors that have many zeros
norms, products          norms of averages, and their products, which are the scores of a second layer
"""
