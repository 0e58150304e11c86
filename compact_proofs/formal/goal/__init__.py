"""A bound on boxes of inputs, divided into what Coq evaluates and a small goal about real numbers, which any prover may close.

boxes           which inputs: boxes, and the kinds of boxes that share a goal
lead            by how much one logit leads another, as an expression in a few quantities
enclosing       which combinations of the quantities are enclosed on a kind of boxes, and by which numbers
closing         proofs of goals by machine, where attention is sharp
kinds           boxes on which these succeed
goal_text       the goal as text, in Coq and in Lean
goal_source     the texts of Goal.v, Goal.lean, Enclosures.v and Closed.v
goal_statement  the theorem: `GoalStatement`, and its folder
"""
