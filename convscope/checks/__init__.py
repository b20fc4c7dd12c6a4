"""`convscope check`: what is wrong with a data set; a file per check."""
