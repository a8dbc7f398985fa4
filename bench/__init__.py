"""The bars of the design, measured: sendit side by side with the copy and with other tools, in one run.

`python -m bench` measures all of them, `python -m bench files memory` only those parts.
"""
