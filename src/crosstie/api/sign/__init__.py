"""The pages with which people sign in: plain HTML forms without scripts, in English and Arabic."""
