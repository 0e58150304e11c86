"""Networks over sequences of tokens that were trained to say a label function's value (`compact_proofs.sequences`).

files      files of networks that say which function and which task they are
training   the general recipe; `zoo`: the networks that ship
tuning     networks with short proofs, from trained ones
specimens  small networks that try to break proofs
"""
