"""What every claim is about: inputs and their labels. It knows no model, no program and no proof.

task         `Task`: inputs, how they are distributed, and their labels
numbering    where inputs stand in a task's enumeration
check_task   is a task what a theorem about it assumes?
"""
