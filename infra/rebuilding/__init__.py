"""Read models made anew beside the ones that serve: filled, compared, swapped, put back."""
