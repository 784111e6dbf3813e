"""Images: decoding, the pixel cache, geometry and augmentation."""
