"""Small tools that know nothing of Crosstie."""
