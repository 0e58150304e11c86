"""What a proof is: the claim, how it is proved, and how others check it. It knows no task, no report and no picture.

claim        a score, and a lower bound of its mean over a task
function     which function a claim is about
strategy     `Strategy`: how a bound is proved
prove        runs a strategy under one of the readings
certificate  the proven claim in a file
check        recomputes a certificate
arguments    what is given to these, checked before anything runs
exhaustive   brute force on any module
registry     tasks, strategies and those of other packages, which make themselves known
views        how objects are shown, which is registered from outside
frontier     the proofs of one model that no other beats
soundness    the harness: does a strategy ever claim more than is true?
"""
