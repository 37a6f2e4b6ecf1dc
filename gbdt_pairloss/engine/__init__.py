"""Engines: the code that sums a pair loss over the ordered pairs of a plan.

``spec`` is the contract: what an engine is asked for, and what it returns. ``base`` is the base class of engines:
engines sum, and ``finish`` normalises the sums, with the factors of ``normalizers``. ``reference`` is the definition,
in NumPy. ``cpu`` and ``cuda`` hold the fast engines, and ``select`` chooses among them. ``pair_losses`` holds the
losses.
"""
