"""Architectures as plain modules, and reading their weights from files.

architecture        what names a network's function: its class, its configuration and its weights
architectures       the classes that ship, by name
attention_only, attention_stack, one_layer_mlp, pair_mlp      these classes
component           what an MLP is on a finite set of inputs
files               files of weights, read without trust, written whole; the hash of weights
loading             from a file's weights and what it declares to a module; nothing is guessed
own_names           weights by our own names
hooked              weights and live models of TransformerLens
copying             a copy of any module that shares nothing with it
state               the tensors that a module holds, and what it changes when it is called
weights             what every loader checks of weights
"""
