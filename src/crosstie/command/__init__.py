"""The commands of `crosstie`, one file per group; `crosstie.cli` loads them when they are called."""
