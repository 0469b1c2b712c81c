"""What tables of features are good for: nearest images, near-duplicates, groups, outliers, samples.

`vectors` holds a layer in memory or goes through it in blocks, `queries` makes a vector of what a
person looks for, `neighbours` finds what is near it. `near_duplicates` proposes which images to do
without, with `pixels` where features are in doubt, and `filing` writes the proposal down or carries
it out. `clusters`, `outliers` and `sampling` sort a table. `probes` tells what labels can be read
off features, `comparison` how alike features are by the measures in `similarity`.
"""
