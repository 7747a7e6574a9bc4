"""claimkind: tells, sentence by sentence, whether a text states a fact, speculates or gives an opinion."""

__version__ = "0.1.0"
