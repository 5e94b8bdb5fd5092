"""Couinaud's segments: landmarks, and the liver cut by planes through them."""
