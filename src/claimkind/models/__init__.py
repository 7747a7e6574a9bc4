"""Model families.

A family is one module of this package: `<family>.py` with a class `<Family>Classifier` that keeps the contract of
`base.Classifier`, and its YAML file in `configs/model/`.
"""

from claimkind.models.saving import family_of, load, save

__all__ = ["family_of", "load", "save"]
