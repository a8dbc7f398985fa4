"""Clean Pixel Data (PS3.15 E.3.1): text that is burned into pixels is found, blanked, and looked for again.

The worker's side reads structure only; pixels are decoded and looked at in a process of their own.
"""
