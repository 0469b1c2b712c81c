"""Penult: image features from pretrained networks."""
