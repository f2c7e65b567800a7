"""Draw the Guides page.

guide  Choose a guide and draw its text and pictures.
"""
