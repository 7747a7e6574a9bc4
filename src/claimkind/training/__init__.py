"""Training: weights of rows, checkpoints, distillation, searches and the pipeline that joins them."""
