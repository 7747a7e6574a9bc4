"""The training loss: marginal likelihood of the evidence, and R-Drop."""

from typing import Any

import torch


def training_loss(
    outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None, *, rdrop_alpha: float = 0.0
) -> torch.Tensor:
    """The loss of a batch.

    Args:
        outputs: with `logits`, (n, classes); with R-Drop, the second half of the batch repeats the first.
        labels: (n, classes + 1), the evidence and the weight of each row.
        num_items_in_batch: given by the `Trainer`; not used, since a batch is averaged.
        rdrop_alpha: weight of the R-Drop loss, which is added during training; see `rdrop_divergence`.
    """
    loss = marginal_likelihood_loss(outputs.logits, labels)
    # Evaluation computes no gradients and repeats no sentence.
    if rdrop_alpha and torch.is_grad_enabled():
        loss = loss + rdrop_alpha * rdrop_divergence(outputs.logits)
    return loss


def marginal_likelihood_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Weighted mean of -log Σ_c p(c | x) · evidence[c]; the cross-entropy where the evidence is one-hot.

    Args:
        logits: (n, classes).
        labels: (n, classes + 1), the evidence and the weight of each row.
    """
    evidence, weights = labels[:, :-1].float(), labels[:, -1].float()
    log_probabilities = torch.log_softmax(logits.float(), dim=-1)
    # log 0 is -inf, which logsumexp leaves out.
    log_likelihood = torch.logsumexp(log_probabilities + evidence.log(), dim=-1)
    return -(weights * log_likelihood).sum() / weights.sum()


def rdrop_divergence(logits: torch.Tensor) -> torch.Tensor:
    """Mean symmetric Kullback-Leibler divergence between two predictions of each sentence (R-Drop, Liang et al. 2021).

    Args:
        logits: (2n, classes), the first predictions of n sentences and then the second ones.
    """
    first, second = torch.log_softmax(logits.float(), dim=-1).chunk(2)
    return 0.5 * ((first.exp() - second.exp()) * (first - second)).sum(dim=-1).mean()
