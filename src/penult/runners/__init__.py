"""Where a run's features are computed, if not in this process: on the machines of a Ray cluster.

Ray itself is imported when it is asked for, by the driver; the machines load `extractor`.
"""
