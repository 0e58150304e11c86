"""Any network as a theorem: a traced program in the language of ``formal/Network.v``."""
