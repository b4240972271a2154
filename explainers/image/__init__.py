"""Images: segments, absent pixels, values of segments and pixels, and `ImageExplanation`."""
