"""Models: backbones, the LightningModule that trains them, and how batches are drawn."""
