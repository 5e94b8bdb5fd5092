"""Images after they were read: grids, preprocessing and files of research programs."""
