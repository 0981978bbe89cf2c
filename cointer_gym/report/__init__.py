"""What people read: tables, Markdown, CSV and figures, all made from results that were computed elsewhere.

``style`` and the ``*_figure`` modules need matplotlib, the others do not.
"""
