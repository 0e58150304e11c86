"""Files that are written whole or not at all, and files that come in from anyone.

atomic     writing
documents  the base of what is read
container  safetensors with one JSON document in the header
untrusted  JSON and names, read without trust
objects    objects of a user's own Python file
"""
