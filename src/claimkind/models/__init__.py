"""Model families, and what they share.

A family is one module or package here, `<family>`, with a class `<Family>Classifier` that implements `base.Classifier`,
and a YAML file in `configs/model/` that lists the fields of its settings dataclass. Nothing else names a family.
"""

from claimkind.models.saving import check, family_of, load, save, saved_folder

__all__ = ["check", "family_of", "load", "save", "saved_folder"]
