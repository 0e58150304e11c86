"""compact-proofs: prove the accuracy of a neural network, and measure how long the proof is.

What is public stands in ``__init__.pyi``. Each name is loaded when it is asked for, so that the command line answers before torch
is there.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
