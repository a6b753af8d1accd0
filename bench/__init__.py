"""`make bench`: what Pierhead costs, beside floors and peers, measured here and in one run.

Ratios are the result; single values belong to one machine. Not here: correctness, which is the tests' affair.
"""
