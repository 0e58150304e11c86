"""What a proof is: the claim, how it is proved, and how others check it. It knows no task, no report and no picture.

claim        a task, a score, a lower bound of its mean
function     which function a claim is about
strategy     `Strategy`: how a bound is proved
prove        runs a strategy under one of the readings
certificate  the proven claim in a file
check        recomputes a certificate
check_task   is a task what a theorem about it assumes?
arguments    what is given to these, checked before anything runs
exhaustive   brute force on any module
registry     tasks, strategies and those of other packages, which make themselves known
views        how objects are shown, which is registered from outside
frontier     the proofs of one model that no other beats
soundness    the harness: does a strategy ever claim more than is true?
"""
