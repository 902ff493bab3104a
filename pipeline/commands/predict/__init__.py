"""`keepfit predict`: rows of any input → what the champion answers of them, and which of them it is not asked."""
