"""Engines: the code that sums a pair loss over the ordered pairs of a plan.

``spec`` is the contract: what an engine is asked for, and what it returns. ``reference`` is its definition, in NumPy.
``cpu`` and ``cuda`` hold the fast engines, and ``select`` chooses among them. ``pair_losses`` holds the losses,
``normalizers`` the factor of each query, and ``finish`` the last step of a sum.
"""
