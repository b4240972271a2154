"""From a bundle to what runs elsewhere: a folder for an image, a score file, an MLflow model."""
