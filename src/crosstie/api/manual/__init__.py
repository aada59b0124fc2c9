"""What an installation says about itself to people: `/docs` from docs/*.md, `/reference` from the API's description."""
