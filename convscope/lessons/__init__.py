"""What the page teaches: the numbers of each lesson, and its exercises."""
