"""Training health: what is measured of a training (pulse, vitals, trivial), and what is told of it (symptoms)."""
